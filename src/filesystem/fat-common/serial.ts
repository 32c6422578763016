/** A volume's serial number as Windows and blkid print it: "1234-ABCD". */
export function serialText(serial: number): string {
  const hex = serial.toString(16).toUpperCase().padStart(8, "0");
  return `${hex.slice(0, 4)}-${hex.slice(4)}`;
}
