/** Standard output, as fast as its reader takes it. */
import { once } from "node:events";
import { printName } from "../bytes/text.js";
import { fromHost, type DiskError } from "../errors.js";

/**
 * Writes, and waits where the reader is slower than we are.
 * @throws {HostError} where the disk of the file that it is written to is full.
 */
export async function write(data: string | Uint8Array): Promise<void> {
  try {
    if (!process.stdout.write(data)) await once(process.stdout, "drain");
  } catch (error) {
    throw fromHost(error, OUTPUT);
  }
}

/** Whether `error` comes from standard output, so that there is no use in writing more. */
export function isOutputError(error: DiskError): boolean {
  return error.message.startsWith(`${OUTPUT}: `);
}

const OUTPUT = "standard output";

export function writeJson(value: unknown): Promise<void> {
  return write(`${JSON.stringify(value, null, 2)}\n`);
}

/** Rows as columns two spaces apart; numbers stand to the right. */
export function columns(rows: readonly (readonly (string | number)[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, index) => (widths[index] = Math.max(widths[index] ?? 0, String(cell).length)));
  return rows
    .map((row) =>
      row
        .map((cell, index) =>
          typeof cell === "number" ? String(cell).padStart(widths[index]!) : cell.padEnd(widths[index]!),
        )
        .join("  ")
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join("");
}

/** Labels, comments and names from strangers' files: what cannot be shown is as in names. */
export function shown(text: string): string {
  if (/^[ -[\]-~]*$/.test(text)) return text; // nothing in it needs a thought
  return printName(Buffer.from(text));
}

/** `20.0 GiB`; bytes below 1024 as they are. */
export function formatSize(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return power === 0 ? `${bytes} bytes` : `${(bytes / 1024 ** power).toFixed(1)} ${units[power]!}`;
}
