/**
 * Owns the one table of error codes and the one error class.
 *
 * A code is a promise to callers: it never changes its meaning. `retry` tells the executor (and any
 * client) whether trying again can help: `never` (the input is wrong), `backoff` (a passing fault), or
 * `later` (this process cannot, another or a newer one can).
 */

export type Retry = 'never' | 'backoff' | 'later';

interface ErrorCode {
  readonly retry: Retry;
  /** HTTP status a gateway answers with. */
  readonly status: number;
  /** What happened, in words for a person. */
  readonly what: string;
  /** What the person can do about it. */
  readonly todo: string;
}

export const ERROR_CODES = {
  AUDIT_NO_CANDIDATES: {
    retry: 'never',
    status: 409,
    what: 'There are no published candidates to audit.',
    todo: 'Run the refresh pipeline first.',
  },
  AUTH_CSRF: {
    retry: 'never',
    status: 403,
    what: 'The form was not sent by the page that you were shown.',
    todo: 'Reload the page and send it again.',
  },
  AUTH_DEFAULT_PASSWORD: {
    retry: 'never',
    status: 500,
    what: 'The dashboard has a default password outside the demo.',
    todo: 'Set one with `millrace password reset`.',
  },
  AUTH_KEY_INVALID: {
    retry: 'never',
    status: 401,
    what: 'The API key is missing, unknown or revoked.',
    todo: 'Send `authorization: Bearer KEY`; make one with `millrace key create --scope SCOPE`.',
  },
  AUTH_LOGIN_NEEDED: {
    retry: 'never',
    status: 401,
    what: 'You are not logged in, or your session has ended.',
    todo: 'Log in at /login.',
  },
  AUTH_PASSWORD_WRONG: {
    retry: 'never',
    status: 401,
    what: 'User name or password is wrong.',
    todo: 'Try again, or set a new one with `millrace password reset`.',
  },
  AUTH_ROLE_MISSING: {
    retry: 'never',
    status: 403,
    what: 'Your account may look but not change anything.',
    todo: 'Ask an operator or an admin.',
  },
  AUTH_SCOPE_MISSING: {
    retry: 'never',
    status: 403,
    what: 'The API key does not have the scope that this route needs.',
    todo: 'Make a key with that scope: `millrace key create --scope SCOPE`.',
  },
  AUTH_TOO_MANY_ATTEMPTS: {
    retry: 'later',
    status: 429,
    what: 'Too many failed logins.',
    todo: 'Wait for the seconds in `details.retryAfterSeconds`, or set a new password with `millrace password reset`.',
  },
  BACKUP_INVALID: {
    retry: 'never',
    status: 422,
    what: 'The folder is not a whole backup of a format that this version reads.',
    todo: 'Use another backup; files of a backup cannot be changed or left out.',
  },
  BLOCK_CORRUPT: {
    retry: 'never',
    status: 500,
    what: 'A block did not decrypt or its hash differs from the manifest.',
    todo: 'Restore the block from a backup; `details.block` names it.',
  },
  BLOCK_FORMAT_UNKNOWN: {
    retry: 'later',
    status: 503,
    what: 'A block was written in a newer format than this process reads.',
    todo: 'Bring every process to the newer version; `details.format` is what was met.',
  },
  BACKUP_TOO_NEW: {
    retry: 'never',
    status: 409,
    what: 'The backup was made by a newer version of Millrace.',
    todo: 'Restore it with that version; `details` names the formats.',
  },
  FORMAT_NOT_ENABLED: {
    retry: 'never',
    status: 409,
    what: 'Blocks are not written in the newest format yet, so none is brought up to it.',
    todo: 'Once no process of an older version runs: `millrace migrate enable`, then `millrace migrate run`.',
  },
  BLOCK_KEY_MISSING: {
    retry: 'never',
    status: 410,
    what: 'The key of a block is gone; its content cannot be read.',
    todo: 'It was erased on purpose, or the master key is not the one that wrapped it.',
  },
  CANCELLED: {
    retry: 'never',
    status: 409,
    what: 'The run was cancelled.',
    todo: 'Enqueue it again under a new key if it is still wanted.',
  },
  CLAIM_NEEDS_GATEWAY: {
    retry: 'never',
    status: 413,
    what: 'The input is larger than a job may carry in Redis.',
    todo: 'Give `connect` the gateway address and an API key, or send less.',
  },
  CLAIM_NOT_FOUND: {
    retry: 'never',
    status: 404,
    what: 'The payload claim is unknown, or its content does not match its hash.',
    todo: 'Upload the payload again with POST /v1/claims.',
  },
  CONFIG_INVALID: {
    retry: 'never',
    status: 500,
    what: 'The configuration is not valid.',
    todo: 'Mend these settings.',
  },
  CONSENT_MISSING: {
    retry: 'never',
    status: 403,
    what: 'Nobody concerned has given consent for this purpose.',
    todo: 'Import consents, or leave these people out.',
  },
  CONSENT_CHANGED: {
    retry: 'backoff',
    status: 409,
    what: 'Consents were withdrawn while the run was at work, and its kind publishes nothing that they went into.',
    todo: 'Nothing: the next attempt leaves these people out.',
  },
  CONTRACT_VERSION_RETIRED: {
    retry: 'never',
    status: 422,
    what: 'The job was made for a contract version that is not read any more.',
    todo: 'Enqueue it again with a client of today; `details.known` says which versions are read.',
  },
  CONTRACT_VERSION_UNKNOWN: {
    retry: 'later',
    status: 422,
    what: 'The job was made for a contract version that this worker does not know yet.',
    todo: 'Deploy workers of the newer version, then redrive it if it was parked meanwhile.',
  },
  DATASET_EMPTY: {
    retry: 'never',
    status: 409,
    what: 'The data set holds no usable rows.',
    todo: 'Import events with consents for this purpose first.',
  },
  DATASET_ERASED: {
    retry: 'never',
    status: 410,
    what: 'The data set version was erased.',
    todo: 'Use the successor version.',
  },
  DATASET_NOT_FOUND: {
    retry: 'never',
    status: 404,
    what: 'There is no such data set version.',
    todo: 'List the versions with `millrace status`.',
  },
  DEADLINE_EXCEEDED: {
    retry: 'backoff',
    status: 504,
    what: 'The run took longer than its limit.',
    todo: 'Raise the limit of the kind, or give it less to do.',
  },
  EVENT_INVALID: {
    retry: 'never',
    status: 422,
    what: 'An event does not fit the schema.',
    todo: 'Mend the field named in `details.field`.',
  },
  EVENT_IN_FUTURE: {
    retry: 'never',
    status: 422,
    what: 'An event lies in the future.',
    todo: 'Check the clock of the source; `occurredAt` may be at most five minutes ahead.',
  },
  EVENT_NOT_OF_SOURCE: {
    retry: 'never',
    status: 422,
    what: 'The source is not declared to give events of this type.',
    todo: 'Send it under the source that it comes from; `millrace source list` says what each gives.',
  },
  EVENT_NO_CONSENT: {
    retry: 'never',
    status: 403,
    what: 'The person has not given consent for any purpose of this source.',
    todo: 'Record a consent first.',
  },
  EVENT_UNKNOWN_ITEM: {
    retry: 'never',
    status: 422,
    what: 'An event names an item that is not in the catalogue.',
    todo: 'Import items before events, or allow unknown items.',
  },
  FILE_MALFORMED: {
    retry: 'never',
    status: 422,
    what: 'A file does not have the expected layout.',
    todo: 'Mend the line and column named in `details`.',
  },
  FILE_NOT_FOUND: {
    retry: 'never',
    status: 404,
    what: 'A file or folder is not there or cannot be read.',
    todo: 'Check the path and its permissions.',
  },
  FOLLOW_PENDING: {
    retry: 'backoff',
    status: 503,
    what: 'The run has committed; what follows from it is not done yet.',
    todo: 'Nothing: it is finished in the background.',
  },
  HEARTBEAT_MISSED: {
    retry: 'backoff',
    status: 504,
    what: 'The run gave no sign of life for longer than its limit.',
    todo: 'See what it waits for; raise the limit of its kind if such silence is in order.',
  },
  INPUT_INVALID: {
    retry: 'never',
    status: 422,
    what: 'The input does not fit the contract.',
    todo: 'Mend the fields listed in `details.issues`.',
  },
  INPUT_TOO_LARGE: {
    retry: 'never',
    status: 413,
    what: 'The input is larger than its kind or route takes.',
    todo: 'Send less at once; `details.bytesMax` is the limit.',
  },
  INTERNAL: {
    retry: 'backoff',
    status: 500,
    what: 'Something unexpected went wrong.',
    todo: 'See the log of the run; report it if it stays.',
  },
  ISOLATION_BUSY: {
    retry: 'later',
    status: 503,
    what: 'A run that took its workers down is run alone, and its process was not free for that, or for others beside it.',
    todo: 'Nothing: it is put off.',
  },
  JOB_MEMORY_LIMIT: {
    retry: 'backoff',
    status: 507,
    what: 'The job took more memory than its kind may.',
    todo: 'Give it less data, or raise memoryMbMax in the contract of its kind.',
  },
  KERNEL_MISSING: {
    retry: 'later',
    status: 500,
    what: 'The WebAssembly kernels are not built.',
    todo: 'Run `npm run build:kernels`.',
  },
  KEY_REUSED: {
    retry: 'never',
    status: 409,
    what: 'The idempotency key was used before with a different input.',
    todo: 'Use a new key for a new input.',
  },
  KIND_UNKNOWN: { retry: 'never', status: 404, what: 'There is no such job kind.', todo: 'See `details.known`.' },
  LEASE_LOST: {
    retry: 'never',
    status: 409,
    what: 'Another attempt has taken over this run.',
    todo: 'Nothing: the other attempt decides.',
  },
  LIMIT_QUEUE_FULL: {
    retry: 'later',
    status: 429,
    what: 'The tenant has as many unfinished jobs of this kind as it may have.',
    todo: 'Wait for the milliseconds in `details.retryAfterMs` and try again; with a key, what is in already stays in once.',
  },
  LIMIT_RATE: {
    retry: 'later',
    status: 429,
    what: 'This caller asks faster than its limit.',
    todo: 'Wait for the milliseconds in `details.retryAfterMs` (the seconds in `details.retryAfterSeconds`) and try again.',
  },
  MODEL_NOT_INDUCTIVE: {
    retry: 'never',
    status: 422,
    what: 'The model cannot serve people whom training never saw.',
    todo: 'Take a model that can (ease, autoencoder, popularity), or another split.',
  },
  MODEL_PARAMS_INVALID: {
    retry: 'never',
    status: 422,
    what: 'The parameters of the model are not valid.',
    todo: 'Mend the fields listed in `details.issues`.',
  },
  MODEL_UNKNOWN: { retry: 'never', status: 404, what: 'There is no such model.', todo: 'See `details.known`.' },
  NOT_FOUND: { retry: 'never', status: 404, what: 'There is nothing under that name.', todo: 'Check the name.' },
  NOT_PUBLISHED: {
    retry: 'never',
    status: 404,
    what: 'Nothing has been published yet.',
    todo: 'Run `millrace run refresh --wait`.',
  },
  NUMERICS_INPUT_INVALID: {
    retry: 'never',
    status: 422,
    what: 'The arrays given to a computation are not valid.',
    todo: 'Mend what `details` names: ids in range, rows ascending, finite values.',
  },
  NUMERICS_MEMORY_LIMIT: {
    retry: 'later',
    status: 507,
    what: 'The computation needs more memory than its bound.',
    todo: 'Ask for fewer factors or clusters, give it less data, or raise the bound.',
  },
  OUTPUT_INVALID: {
    retry: 'never',
    status: 500,
    what: 'A processor returned an output that does not fit its contract.',
    todo: 'This is a defect of the processor; report it.',
  },
  PAYLOAD_UNREADABLE: {
    retry: 'never',
    status: 422,
    what: 'A sealed payload cannot be opened.',
    todo: 'Client and workers must share the seal key.',
  },
  PIPELINE_INVALID: {
    retry: 'never',
    status: 409,
    what: 'The definition of a pipeline and one of its runs do not fit.',
    todo: 'A run outlived a change of its pipeline, or the definition is defective: start a new run, and report a defect.',
  },
  PIPELINE_RERUN: {
    retry: 'never',
    status: 409,
    what: 'The pipeline run was run again already, from another step.',
    todo: '`details.run` is the re-run: look at it, or run that one again.',
  },
  PIPELINE_RUNNING: {
    retry: 'later',
    status: 409,
    what: 'The pipeline run has not ended.',
    todo: 'Wait for its end, or cancel it.',
  },
  PIPELINE_TOO_LARGE: {
    retry: 'never',
    status: 422,
    what: 'A pipeline run would get more steps or rounds than are allowed.',
    todo: 'Ask for fewer parts or rounds; `details` names the bound.',
  },
  PIPELINE_UNKNOWN: { retry: 'never', status: 404, what: 'There is no such pipeline.', todo: 'See `details.known`.' },
  POINTER_CONFLICT: {
    retry: 'backoff',
    status: 409,
    what: 'The pointer was moved by somebody else.',
    todo: 'Read it and try again.',
  },
  POINTER_HELD: { retry: 'never', status: 409, what: 'The release is on hold.', todo: 'Release the hold first.' },
  PORT_BUSY: {
    retry: 'never',
    status: 500,
    what: 'A port is in use by another program.',
    todo: 'Stop that program, or set another port.',
  },
  REDRIVE_REFUSED: {
    retry: 'never',
    status: 409,
    what: 'The run cannot be given back to work.',
    todo: 'Enqueue it again under a new key, or run its pipeline again.',
  },
  RUN_POISONOUS: {
    retry: 'never',
    status: 500,
    what: 'Every attempt at this run took its process down.',
    todo: 'Look at its input; enqueue it again under a new key after mending it.',
  },
  SCHEDULE_INVALID: {
    retry: 'never',
    status: 422,
    what: 'The schedule is not valid.',
    todo: 'Mend the fields listed in `details.issues`.',
  },
  RESTORE_REFUSED: {
    retry: 'never',
    status: 409,
    what: 'The database that is to take the backup is not empty.',
    todo: 'Name an empty one with MILLRACE_DATABASE.',
  },
  SCHEMA_UNKNOWN: {
    retry: 'never',
    status: 409,
    what: 'Nobody has said what this version of a source’s records means.',
    todo: 'Add a mapping table with `millrace source map`, then `millrace quarantine release`.',
  },
  SERVICE_UNAVAILABLE: {
    retry: 'backoff',
    status: 503,
    what: 'A service that is needed does not answer.',
    todo: 'Start everything with `npm start`, or set REDIS_URL and MONGODB_URL.',
  },
  STEP_FAILED: {
    retry: 'never',
    status: 409,
    what: 'A step of the pipeline did not finish.',
    todo: 'See `millrace status`, or the page of the run on the dashboard: it names the step and its reason.',
  },
  USAGE: { retry: 'never', status: 400, what: 'The command was not understood.', todo: 'See `millrace --help`.' },
  WAIT_TIMEOUT: {
    retry: 'later',
    status: 504,
    what: 'The job did not end within the time that the caller would wait; it goes on.',
    todo: 'Wait longer, or ask again later.',
  },
  WEBHOOK_ADDRESS_REFUSED: {
    retry: 'never',
    status: 422,
    what: 'The address of the webhook is not one that may be called.',
    todo: 'Register a public https address; MILLRACE_WEBHOOK_PRIVATE=true allows private ones and http.',
  },
  WEBHOOK_FAILED: {
    retry: 'backoff',
    status: 502,
    what: 'The address of the webhook did not take the delivery.',
    todo: 'See `details`; it must answer with a status from 200 to 299 within ten seconds.',
  },
  WORKER_STOPPING: {
    retry: 'later',
    status: 503,
    what: 'The worker is being stopped and gives the run back.',
    todo: 'Nothing: another worker begins it again at once.',
  },
} as const satisfies Record<string, ErrorCode>;

export type ErrorCodeName = keyof typeof ERROR_CODES;

export interface AppErrorOptions {
  /** Facts for programs and people; never secrets or personal data in the clear. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
  /** Replaces the table's general sentence with one that names the case at hand. */
  readonly message?: string;
}

/** An expected failure with a stable code. `message` ends with what to do. */
export class AppError extends Error {
  readonly code: ErrorCodeName;
  readonly retry: Retry;
  readonly status: number;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCodeName, options: AppErrorOptions = {}) {
    const entry: ErrorCode = ERROR_CODES[code];
    super(
      `${code}: ${options.message ?? entry.what} ${entry.todo}`,
      options.cause === undefined ? {} : { cause: options.cause },
    );
    this.name = 'AppError';
    this.code = code;
    this.retry = entry.retry;
    this.status = entry.status;
    this.details = options.details ?? {};
  }

  /** What may leave the process: no stack, no cause. */
  toJSON(): { code: ErrorCodeName; message: string; retry: Retry; details: Readonly<Record<string, unknown>> } {
    return { code: this.code, message: this.message, retry: this.retry, details: this.details };
  }
}

/** Gives any thrown value a code; what is not an AppError becomes INTERNAL with the value as its cause. */
export function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new AppError('INTERNAL', { message: message.replace(/\.?$/, '.'), cause: thrown });
}
