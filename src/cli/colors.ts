import pc from "picocolors";

/** Colours for `stream` if it is a terminal; plain text for pipes. */
export const colorsFor = (stream: NodeJS.WriteStream) =>
  pc.createColors(stream.isTTY === true && !process.env["NO_COLOR"]);
