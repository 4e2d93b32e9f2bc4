#!/usr/bin/env node
/**
 * The `tsbpf` command.
 *
 * Exit codes: 0 success, 1 failure, 2 usage error. With `--json` an error is one JSON object on standard error.
 */
import { main, wantsJson } from "./main.ts";
import { guardStandardStreams } from "./standard-streams.ts";

const argv = process.argv.slice(2);
guardStandardStreams(wantsJson(argv));
process.exitCode = await main(argv);
