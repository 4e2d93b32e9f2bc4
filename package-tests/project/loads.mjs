// Loads a program. Prints "loaded", or why it could not be.
import { load, xdp, XdpAction } from "tsbpf";

try {
  load([xdp("pass", () => XdpAction.PASS)]).close();
  console.log("loaded");
} catch (error) {
  console.log(`${error.name}: ${error.message}`);
}
