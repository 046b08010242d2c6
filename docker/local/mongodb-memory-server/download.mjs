/**
 * Owns one call: runs inside the cache folder, downloads mongod there, and writes the program's path into a file.
 * Arguments: version, download folder, result file.
 */
import { writeFileSync } from 'node:fs';
import { MongoBinary } from 'mongodb-memory-server-core';

const [version, downloadDir, result] = process.argv.slice(2);
writeFileSync(result, await MongoBinary.getPath({ version, downloadDir }));
