/** A key that an object of a JSON text has already. */
export interface RepeatedKey {
  readonly key: string;
  /** Position of the key's second quotation, in UTF-16 code units. */
  readonly offset: number;
}

/** The repeated keys of a valid JSON text, in its order. `JSON.parse` would take the last of each in silence. */
export function repeatedKeys(json: string): RepeatedKey[] {
  const repeated: RepeatedKey[] = [];
  /** Keys of the open objects; undefined for an open list. */
  const open: (Set<string> | undefined)[] = [];
  let keyNext = false;
  for (let i = 0; i < json.length; i++) {
    switch (json[i]) {
      case "{":
        open.push(new Set());
        keyNext = true;
        break;
      case "[":
        open.push(undefined);
        keyNext = false;
        break;
      case "}":
      case "]":
        open.pop();
        keyNext = false;
        break;
      case ",":
        keyNext = open.at(-1) !== undefined;
        break;
      case '"': {
        const end = endOfString(json, i);
        const keys = open.at(-1);
        if (keyNext && keys !== undefined) {
          const quoted = json.slice(i, end);
          const key = quoted.includes("\\") ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
          if (keys.has(key)) repeated.push({ key, offset: i });
          keys.add(key);
          keyNext = false;
        }
        i = end - 1;
        break;
      }
    }
  }
  return repeated;
}

/** The position after the string that begins at `start`. */
function endOfString(json: string, start: number): number {
  for (let end = start + 1; ; end++) {
    if (json[end] === "\\") end++;
    else if (json[end] === '"') return end + 1;
  }
}
