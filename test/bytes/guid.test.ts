import t from "tap";
import { formatGuid, formatUuid, parseGuid, swapGuid } from "../../src/bytes/guid.js";

// The EFI system partition's type GUID as it stands on disk (UEFI 2.10, 5.3.3).
const ESP = Buffer.from("28732ac11ff8d211ba4b00a0c93ec93b", "hex");

t.test("a GUID is printed in Microsoft's order, a UUID in its own", (t) => {
  t.equal(formatGuid(ESP), "c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
  t.equal(formatUuid(ESP), "28732ac1-1ff8-d211-ba4b-00a0c93ec93b");
  t.equal(swapGuid(formatGuid(ESP)), formatUuid(ESP));
  t.equal(swapGuid(formatUuid(ESP)), formatGuid(ESP));
  t.end();
});

t.test("a printed GUID is parsed, with or without braces and capitals; anything else is not", (t) => {
  t.same(parseGuid("{C12A7328-F81F-11D2-BA4B-00A0C93EC93B}"), ESP);
  t.equal(parseGuid("c12a7328"), undefined);
  t.end();
});
