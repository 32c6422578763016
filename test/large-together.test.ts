/** Images whose large numbers agree with each other: each operation on them costs what was asked for. */
import t from "tap";
import { checkLarge } from "./support/large-but-legal.js";
import { crowdedFolder, largestExt, largestNtfs, largestVdi, longChain } from "./support/sparse-images.js";

t.test("the largest images, and very many images", async (t) => {
  const folder = t.testdir();
  const cases = [{ name: "as it is" }];
  await checkLarge(t, [
    { name: "a VDI of 2^30 blocks", image: largestVdi(folder), cases },
    { name: "a chain of 1000 images", image: longChain(folder, 1000), cases },
    { name: "an image among 4000 others", image: crowdedFolder(folder, 4000), cases },
    { name: "ext with 2^18 groups", image: largestExt(folder), cases },
    { name: "NTFS with an index of 2^42 bytes", image: largestNtfs(folder), cases },
  ]);
});
