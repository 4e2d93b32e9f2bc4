/** The kernel as the loader sees it. One object, so that a test can replace it and needs neither Linux nor root. */
import { capabilities } from "./capabilities.ts";
import { loadBtf } from "./btf.ts";
import { attachedPrograms, attachProgram, detachProgram, openDirectory } from "./cgroup.ts";
import { btfBytes, btfInfo, linkInfo, mapInfo, objectIds, openById, programCode, programInfo } from "./info.ts";
import { createLink, detachLink, updateLink } from "./links.ts";
import { mapElements } from "./map-elements.ts";
import { createMap, freezeMap } from "./maps.ts";
import { isOnFileSystem, mountBpfFileSystem, mounts } from "./mounts.ts";
import { openPinned, pinObject } from "./objects.ts";
import { bindMap, loadProgram, testRunProgram } from "./programs.ts";
import { enableStatistics } from "./stats.ts";

/** The running kernel. */
export const linux = {
  createMap,
  freezeMap,
  mapElements,
  loadBtf,
  loadProgram,
  testRunProgram,
  bindMap,
  createLink,
  updateLink,
  detachLink,
  pinObject,
  openPinned,
  programInfo,
  programCode,
  mapInfo,
  linkInfo,
  btfInfo,
  btfBytes,
  objectIds,
  openById,
  openDirectory,
  attachedPrograms,
  attachProgram,
  detachProgram,
  enableStatistics,
  mounts,
  isOnFileSystem,
  mountBpfFileSystem,
  capabilities,
} as const;

/** Every operation the loader needs from a kernel. */
export type Kernel = typeof linux;
