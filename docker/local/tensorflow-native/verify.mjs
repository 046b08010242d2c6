/**
 * Owns the proof that the native engine works: loads the package named by the first argument, runs one matrix
 * product on it, and prints the version of TensorFlow as JSON. Exits with 1 when the product is wrong.
 */
import { createRequire } from 'node:module';
import util from 'node:util';

// The package calls two functions that Node 23 removed.
util.isNullOrUndefined ??= (value) => value === null || value === undefined;
util.isArray ??= Array.isArray;

const tf = createRequire(import.meta.url)(process.argv[2]);
await tf.ready();
const product = [
  ...(await tf
    .matMul(
      tf.tensor2d([
        [1, 2],
        [3, 4],
      ]),
      tf.tensor2d([
        [5, 6],
        [7, 8],
      ]),
    )
    .data()),
];
const right = tf.getBackend() === 'tensorflow' && product.join() === '19,22,43,50';
console.log(
  JSON.stringify({ tensorflow: tf.backend().binding.TF_Version, tfjs: tf.version['tfjs-core'], product, right }),
);
process.exit(right ? 0 : 1);
