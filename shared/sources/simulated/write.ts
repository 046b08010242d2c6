/**
 * Owns the simulation as files: the canonical records as JSONL, and the truth beside them.
 *
 * people, creators, items, events, consents, social .jsonl: what a platform knows.
 * truth-people.jsonl, truth-items.jsonl, exposures.jsonl (propensity, policy and whether the place was looked at, by
 * event id), relevance.npy (uint8, people x items in the order of the files, value = relevance * 255): the answers.
 * manifest.json is written last, says that all of it is simulated, and holds the settings and counts.
 */
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AppError } from '../../errors.ts';
import type { LoggedEvent } from './log.ts';
import type { SimulationOptions } from './options.ts';
import { SIMULATED_SOURCE, type Simulation, simulate } from './simulate.ts';

const CHUNK_CHARS = 256 * 1024;

/** File name -> lines (or matrix rows) written. */
export type WrittenCounts = Readonly<Record<string, number>>;

async function writeChunks(dir: string, name: string, chunks: Iterable<string | Uint8Array>): Promise<void> {
  const partial = join(dir, `${name}.partial`);
  try {
    await pipeline(Readable.from(chunks, { objectMode: true }), createWriteStream(partial));
    await rename(partial, join(dir, name));
  } finally {
    await rm(partial, { force: true });
  }
}

async function writeLines(dir: string, name: string, records: Iterable<unknown>): Promise<number> {
  let count = 0;
  function* chunks(): Generator<string> {
    let text = '';
    for (const record of records) {
      text += `${JSON.stringify(record)}\n`;
      count++;
      if (text.length < CHUNK_CHARS) continue;
      yield text;
      text = '';
    }
    if (text !== '') yield text;
  }
  await writeChunks(dir, name, chunks());
  return count;
}

/** The header of a NumPy file of version 1.0 holding a C-ordered uint8 matrix. */
function npyHeader(rows: number, columns: number): Uint8Array {
  const dict = `{'descr': '|u1', 'fortran_order': False, 'shape': (${rows}, ${columns}), }`;
  // Magic (6) + version (2) + length (2) + text ending in a newline, a multiple of 64 together.
  const padded = `${dict.padEnd(64 * Math.ceil((11 + dict.length) / 64) - 11)}\n`;
  const header = Buffer.alloc(10 + padded.length);
  header.write('\x93NUMPY\x01\x00', 0, 'latin1');
  header.writeUInt16LE(padded.length, 8);
  header.write(padded, 10, 'latin1');
  return header;
}

async function writeRelevance(dir: string, simulation: Simulation): Promise<number> {
  const { people, videos } = simulation.settings;
  function* chunks(): Generator<Uint8Array> {
    yield npyHeader(people, videos);
    yield* simulation.truth.relevanceRows();
  }
  await writeChunks(dir, 'relevance.npy', chunks());
  return people;
}

function* exposures(log: Iterable<LoggedEvent>): Generator {
  for (const { event, propensity, policy, examined } of log)
    if (propensity !== undefined) yield { event: event.id, requestId: event.requestId, policy, propensity, examined };
}

/**
 * Writes everything into `dir` (made if absent). Each file appears whole or not at all; manifest.json comes last.
 * Throws INPUT_INVALID for options, FILE_NOT_FOUND where the folder cannot be written.
 */
export async function writeSimulation(dir: string, options: SimulationOptions = {}): Promise<WrittenCounts> {
  const simulation = simulate(options);
  try {
    await mkdir(dir, { recursive: true });
    await rm(join(dir, 'manifest.json'), { force: true });
    const counts: Record<string, number> = {
      'people.jsonl': await writeLines(dir, 'people.jsonl', simulation.people()),
      'creators.jsonl': await writeLines(dir, 'creators.jsonl', simulation.creators()),
      'items.jsonl': await writeLines(dir, 'items.jsonl', simulation.items()),
      'consents.jsonl': await writeLines(dir, 'consents.jsonl', simulation.consents()),
      'social.jsonl': await writeLines(dir, 'social.jsonl', simulation.social()),
      'events.jsonl': await writeLines(dir, 'events.jsonl', simulation.events()),
      'exposures.jsonl': await writeLines(dir, 'exposures.jsonl', exposures(simulation.log())),
      'truth-people.jsonl': await writeLines(dir, 'truth-people.jsonl', simulation.truth.people()),
      'truth-items.jsonl': await writeLines(dir, 'truth-items.jsonl', simulation.truth.items()),
      'relevance.npy': await writeRelevance(dir, simulation),
    };
    const manifest = { source: SIMULATED_SOURCE, simulated: true, settings: simulation.settings, counts };
    await writeFile(join(dir, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
    return counts;
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError('FILE_NOT_FOUND', { message: `Cannot write into "${dir}".`, details: { dir }, cause });
  }
}
