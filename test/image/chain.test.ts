import { basename } from "node:path";
import t from "tap";
import { read } from "../../src/extent/read.js";
import { openChain } from "../../src/image/chain.js";
import { random } from "./random.js";
import { writeVdiChain } from "./vdi/generator.js";

t.test("every state of a generated chain equals its model, byte for byte", async (t) => {
  for (let seed = 1; seed <= 6; seed++) {
    const numbers = random(seed);
    const states = await writeVdiChain(t.testdir(), numbers, { depth: 5 });
    for (const { path, model } of states) {
      const chain = await openChain(path);
      t.same(chain.warnings, []);
      t.equal(chain.source.name, basename(path));
      t.equal(chain.source.size, model.length);
      t.ok((await read(chain.source, 0, model.length)).equals(model), `seed ${seed}, ${basename(path)}`);
      let wrong = 0;
      for (let count = 0; count < 300; count++) {
        const offset = numbers.below(model.length);
        const length = numbers.below(Math.min(model.length - offset, numbers.pick([10, 5000, 400_000]))) + 1;
        if (!(await read(chain.source, offset, length)).equals(model.subarray(offset, offset + length)))
          wrong++;
      }
      t.equal(wrong, 0, "random reads");
      await chain.close();
    }
  }
});
