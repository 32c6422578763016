import { setImmediate as turn } from "node:timers/promises";
import t from "tap";
import { mapParallel } from "../../src/machine/parallel.js";

t.test("results are in the order of the items, with at most `width` calls at once", async (t) => {
  let [running, most] = [0, 0];
  const results = await mapParallel([5, 1, 4, 2, 3], 2, async (turns) => {
    most = Math.max(most, ++running);
    for (let count = 0; count < turns; count++) await turn();
    running--;
    return turns * 10;
  });
  t.same(results, [50, 10, 40, 20, 30]);
  t.equal(most, 2);
});

t.test("after an error no call begins, and those in progress have ended before it is thrown", async (t) => {
  const begun: number[] = [];
  const ended: number[] = [];
  const work = async (item: number): Promise<void> => {
    begun.push(item);
    if (item === 1) throw new Error("of item 1");
    for (let count = 0; count < 5; count++) await turn();
    ended.push(item);
  };
  await t.rejects(mapParallel([0, 1, 2, 3], 2, work), { message: "of item 1" });
  t.same(begun, [0, 1]);
  t.same(ended, [0]);
});
