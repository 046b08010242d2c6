/** Owns how whatever a request handler throws becomes a coded answer: ours, fastify's, and a lost service's. */
import type { FastifyError, FastifyReply } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { AppError, toAppError } from '../errors.ts';

const LOST_NAMES = new Set(['MaxRetriesPerRequestError', 'MongoServerSelectionError', 'MongoNetworkError']);
const LOST_CODES = new Set(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'ENOTFOUND']);
const LOST_MESSAGE = /isn't writeable|connection is closed/i;

const codeOf = (error: Error): string => ('code' in error && typeof error.code === 'string' ? error.code : '');

const isLostService = (error: Error): boolean =>
  LOST_NAMES.has(error.name) || LOST_CODES.has(codeOf(error)) || LOST_MESSAGE.test(error.message);

/** fastify's refusals of a request, before any handler ran. */
function ofFastify(error: FastifyError, bytesMax: number | undefined): AppError | undefined {
  if (hasZodFastifySchemaValidationErrors(error)) {
    const issues = error.validation.map(({ instancePath, message }) => ({
      path: instancePath.split('/').filter((part) => part !== ''),
      message: message ?? 'invalid',
    }));
    return new AppError('INPUT_INVALID', { details: { where: error.validationContext, issues } });
  }
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new AppError('INPUT_TOO_LARGE', { details: { bytesMax } });
  if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return new AppError('INPUT_INVALID', { message: 'The content type is not one that this route takes.' });
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500)
    return new AppError('INPUT_INVALID', { message: 'The request is malformed.', details: { reason: error.code } });
  return undefined;
}

/** Gives any thrown value a code. An unexpected one becomes INTERNAL without its message, which may quote the input. */
export function asHttpError(thrown: unknown, bytesMax?: number): AppError {
  if (thrown instanceof AppError || !(thrown instanceof Error)) return toAppError(thrown);
  const refused = ofFastify(thrown as FastifyError, bytesMax);
  if (refused !== undefined) return refused;
  if (isLostService(thrown)) return new AppError('SERVICE_UNAVAILABLE', { cause: thrown });
  return new AppError('INTERNAL', { cause: thrown });
}

/** Status and headers of a coded error. */
export function statusOf(reply: FastifyReply, error: AppError): FastifyReply {
  const { retryAfterMs, retryAfterSeconds } = error.details;
  const wait = typeof retryAfterMs === 'number' ? retryAfterMs / 1000 : retryAfterSeconds;
  if (typeof wait === 'number') void reply.header('retry-after', String(Math.ceil(wait)));
  return reply.code(error.status);
}
