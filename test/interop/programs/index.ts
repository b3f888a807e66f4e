/** Every program, quick ones first. */
import type { Program } from '../program.js';
import { cliMtProgram } from './cli-mt.js';
import { curatorProgram, javaProgram, kafkaProgram } from './java.js';
import { kazooProgram } from './kazoo.js';
import { zkCliProgram } from './zk-cli.js';

export const programs: readonly Program[] = [
  kazooProgram,
  cliMtProgram,
  javaProgram,
  zkCliProgram,
  curatorProgram,
  kafkaProgram,
];
