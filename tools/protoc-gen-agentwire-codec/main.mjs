#!/usr/bin/env node
// @ts-check
import { runNodeJs } from "@bufbuild/protoplugin";
import { plugin } from "./plugin.mjs";

runNodeJs(plugin);
