/** Helpers for tests on the running kernel: isolated resources that are removed afterwards. */
export { withBpfFileSystem } from "./bpf-file-system.ts";
export { enterCgroup, removeCgroup, withCgroup } from "./cgroup.ts";
export { damaged, truncated } from "./damage.ts";
export { withDirectory } from "./directory.ts";
export { eventually } from "./eventually.ts";
export { FakeKernel, type FakeObject, type Failures } from "./fake-kernel.ts";
export { kernelObjects } from "./kernel-objects.ts";
export { kernelSuite, whyNoKernel } from "./kernel-suite.ts";
export { withNetworkNamespace } from "./network-namespace.ts";
export { hasTool, runTool, toolSuite } from "./tool-suite.ts";
export { withPins } from "./pins.ts";
export { TSX } from "./tsx.ts";
export { runIn, runScriptIn, startIn, type Outcome, type Place } from "./process.ts";
