import pc from "picocolors";

/** Colours for what is written to `stream`: for a person at a terminal only, plain text for whatever reads a pipe. */
export const colorsFor = (stream: NodeJS.WriteStream) =>
  pc.createColors(stream.isTTY === true && !process.env["NO_COLOR"]);
