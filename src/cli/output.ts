/** Writing to standard output, and formatting for it. */
import { once } from "node:events";
import { printName } from "../bytes/text.js";
import { fromHost, type DiskError } from "../errors.js";

/**
 * Writes to standard output, and waits until a slow reader can take more.
 * @throws {HostError} if writing fails, for example because a disk is full.
 */
export async function write(data: string | Uint8Array): Promise<void> {
  try {
    if (!process.stdout.write(data)) await once(process.stdout, "drain");
  } catch (error) {
    throw fromHost(error, OUTPUT);
  }
}

/** Whether `error` is one of standard output, so that writing more would be useless. */
export function isOutputError(error: DiskError): boolean {
  return error.message.startsWith(`${OUTPUT}: `);
}

const OUTPUT = "standard output";

export function writeJson(value: unknown): Promise<void> {
  return write(`${JSON.stringify(value, null, 2)}\n`);
}

/** Formats rows as columns, two spaces apart. Numbers are aligned to the right. */
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

/** Returns text from images and settings with control characters and backslashes as `\xNN`, as in names. */
export function printText(text: string): string {
  if (/^[ -[\]-~]*$/.test(text)) return text; // plain ASCII stays as it is
  return printName(Buffer.from(text));
}

/** `20.0 GiB`; sizes below 1024 in bytes. */
export function formatSize(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return power === 0 ? `${bytes} bytes` : `${(bytes / 1024 ** power).toFixed(1)} ${units[power]!}`;
}
