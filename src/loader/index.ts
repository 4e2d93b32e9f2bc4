/** Brings programs into the kernel: load, attach, pin, replace. */
export {
  attach,
  removeObsolete,
  type Attached,
  type Attachment,
  type AttachOptions,
  type CollectionFor,
} from "./attach.ts";
export { Collection, load, type LoadedMap, type LoadOptions } from "./collection.ts";
export { kernelElementCount } from "./element-count.ts";
export { LoaderError } from "./error.ts";
export { LoadedProgram } from "./loaded-program.ts";
export { createDeclaredMap, mapDifferences } from "./map-create.ts";
export { PinDirectory, type PinKind, type PinnedLink } from "./pins.ts";
export { cgroupRoot, checkHost, checkManager, openCgroup } from "./preconditions.ts";
export { readRingBuffer, RingBufferReader, type RingBufferDefinition } from "./ring-buffer-reader.ts";
export { Rollback } from "./rollback.ts";
export { isSwitch, switchable, type SwitchableProgram } from "./switchable.ts";
export { replaceTemporarily, type TemporaryPrograms } from "./temporary-programs.ts";
export { openMap, TypedMap, type MapHandle, type MapKey, type MapValue } from "./typed-map.ts";
export {
  btfFeatures,
  hasBatchOperations,
  hasCgroupLinks,
  hasHelper,
  hasInstructions,
  hasMapType,
  hasProgramType,
  instructionSetLevel,
  type InstructionFeature,
} from "./features.ts";
