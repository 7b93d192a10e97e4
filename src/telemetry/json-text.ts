/** JSON of strings for the lines that are written by hand. Pure. */

/** JSON of a string. Most are plain words, which need no escaping and are found so faster than JSON.stringify. */
export function quote(text: string): string {
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x20 || unit > 0x7e || unit === 0x22 || unit === 0x5c) return JSON.stringify(text);
  }
  return `"${text}"`;
}
