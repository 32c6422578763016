/** $UpCase: the volume's own table of upper case letters. */
import { DiskError } from "../../../errors.js";
import { Type } from "../mft/attribute.js";
import { fileAt, findAttribute, readAll } from "../mft/file.js";
import { parseUpCase, plainUpCase, UPCASE_SIZE, type UpCase } from "./file-name.js";
import type { Medium } from "../medium.js";

const UPCASE_NUMBER = 10;

/** The table, or Unicode's if it cannot be read. */
export async function readUpCase(medium: Medium): Promise<{ upCase: UpCase; warning?: string }> {
  try {
    const attribute = await findAttribute(medium, await fileAt(medium, UPCASE_NUMBER), Type.data);
    const bytes = attribute && (await readAll(medium, attribute, UPCASE_SIZE));
    if (bytes?.length === UPCASE_SIZE) return { upCase: parseUpCase(bytes) };
    return {
      upCase: plainUpCase(),
      warning: "$UpCase is not whole; names are compared by Unicode's own letters",
    };
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    const warning = `$UpCase cannot be read, names are compared by Unicode's own letters: ${error.message}`;
    return { upCase: plainUpCase(), warning };
  }
}
