/** A program that is not our child by the time it runs. */
import t from "tap";
import { runOrphan } from "../../../src/fuse/fuse-native/orphan.js";

const SIGCHLD = 17n;

t.test("the exit code and all output are returned", async (t) => {
  const script = 'echo "$1"; echo "$2" >&2; exit 3';
  t.same(await runOrphan("sh", ["-c", script, "sh", "a 'quoted' name", "$HOME\nand more"]), {
    code: 3,
    message: "a 'quoted' name\n$HOME\nand more",
  });
  t.same(await runOrphan("true", []), { code: 0, message: "" });
  t.equal((await runOrphan("/no/such/program", [])).code, 127);
  t.same(await runOrphan("sh", ["-c", "kill -9 $PPID"]), {
    code: 1,
    message: "sh or its shell was killed",
  });
});

t.test("when it runs, this process has no child, and no handler for the end of one", async (t) => {
  const task = `/proc/${process.pid}/task/${process.pid}`;
  t.same(await runOrphan("cat", [`${task}/children`]), { code: 0, message: "" });
  const { message } = await runOrphan("cat", [`${task}/status`]);
  const caught = BigInt(`0x${/^SigCgt:\s*(\w+)$/m.exec(message)![1]!}`);
  t.equal((caught >> (SIGCHLD - 1n)) & 1n, 0n);
});
