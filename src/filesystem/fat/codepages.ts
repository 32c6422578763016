/** The numbers of the code pages that short names may be in, without their tables, which are large. */

export const DEFAULT_CODE_PAGE = "437";

/** The code pages that DOS or Windows used for short names. The lower half of each is ASCII. */
export const CODE_PAGES: readonly string[] = [
  ...[437, 720, 737, 775, 808, 850, 852, 855, 856, 858, 860, 861, 862, 863, 864, 865, 866, 869, 874],
  ...[932, 936, 949, 950, 1125, 1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258],
].map(String);

/** The number of the code page that "850", "cp850" or "CP850" means; `undefined` if it is unknown. */
export function codePageNumber(name: string): string | undefined {
  const number = /^(?:cp)?(\d+)$/i.exec(name)?.[1];
  return number !== undefined && CODE_PAGES.includes(number) ? number : undefined;
}
