/** Owns the script as it is served: without its comments and its indentation. */
import { readFileSync } from 'node:fs';

/** Comments stand on lines of their own and statements end with `;`, or a brace, so lines can be trimmed and joined. No statement is empty. */
export function pixelScript(): string {
  const source = readFileSync(new URL('./pixel.js', import.meta.url), 'utf8');
  return source
    .replaceAll(/^\/\/.*\n/gm, '')
    .replaceAll(/^\s*\/\*[\s\S]*?\*\/\s*$/gm, '')
    .split('\n')
    .map((line) => line.trim().replaceAll(/ ?([=+?:{}()<>;,|&!]+) ?(?=(?:[^']*'[^']*')*[^']*$)/g, '$1'))
    .filter((line) => line !== '')
    .join('')
    .replaceAll(/[;,](?=[})])/g, '');
}

/** One transparent pixel: GIF89a. */
export const PIXEL_GIF = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64');
