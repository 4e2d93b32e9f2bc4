/// <reference types="node" preserve="true" />
/**
 * Each door of the package imports this file, which stops a process that would
 * load the package twice, once from `src` and once from `dist`, or a build that
 * is older than its sources. Two copies have two sets of classes, so `instanceof`
 * fails between them, and an old build runs code that the checkout no longer has.
 *
 * An installed package has neither problem: these checks do work in a checkout only.
 */
import { fileURLToPath } from "node:url";
import { outdatedBuild } from "./build-age.ts";

/** Where this file lies in the package's directory. */
const PLACE = /^(.*?)\/(dist\/src|src)\/one-copy\.[jt]s$/;

const LOADED = Symbol.for("tsbpf.loaded");

function checkCopy(url: string | undefined): void {
  // A bundle is one copy, under another name; in a CommonJS bundle the URL is undefined.
  if (url === undefined || !url.startsWith("file:")) return;
  const [, directory, from] = PLACE.exec(fileURLToPath(url)) ?? [];
  if (directory === undefined || from === undefined) return;

  const loaded = ((globalThis as { [LOADED]?: Map<string, string> })[LOADED] ??= new Map());
  const other = loaded.get(directory);
  if (other !== undefined && other !== from) {
    throw new Error(
      `tsbpf is loaded twice in this process, from ${directory}/${other} and from ${directory}/${from}: ` +
        `start the process in ${directory}, or with TSX_TSCONFIG_PATH=${directory}/tsconfig.json in its environment, ` +
        'so that "tsbpf" is the source everywhere',
    );
  }
  if (from === "dist/src") {
    const why = outdatedBuild(directory);
    if (why !== undefined) {
      throw new Error(
        `the build in ${directory}/dist is out of date (${why}): run npm run build in ${directory}, ` +
          `or start the process there, or with TSX_TSCONFIG_PATH=${directory}/tsconfig.json, to run the source`,
      );
    }
  }
  loaded.set(directory, from);
}

checkCopy(import.meta.url);
