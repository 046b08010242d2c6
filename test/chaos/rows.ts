/**
 * Owns what plain BullMQ does not give and Millrace does: a row each, with the test that shows plain BullMQ failing and the one that shows
 * ours. Where a row needs killed processes, the chaos run itself shows it.
 */

/** A test by file and title. */
export interface Shown {
  readonly file: string;
  readonly title: string;
}

export interface Row {
  readonly need: string;
  readonly plain: string;
  readonly ours: string;
  readonly plainShown?: Shown;
  readonly oursShown?: Shown;
}

const work = (title: string): Shown => ({ file: 'test/chaos/plain/plain-work.test.ts', title });
const queue = (title: string): Shown => ({ file: 'test/chaos/plain/plain-queue.test.ts', title });
const own = (title: string): Shown => ({ file: 'test/chaos/plain/ours.test.ts', title });
const runtime = (name: string, title: string): Shown => ({ file: `workers/runtime/${name}.test.ts`, title });

export const ROWS: readonly Row[] = [
  {
    need: 'Work that computes for long',
    plain: 'run twice at once, as its lock cannot be renewed',
    plainShown: work('a job that computes for longer than its lock is run twice at once'),
    ours: 'run once: threads compute, the event loop renews the lock',
    oursShown: own('a job that computes for longer than its lock is run once'),
  },
  {
    need: 'Effects',
    plain: 'a process that wakes late writes a second time',
    plainShown: work('a process that wakes after its lock has gone writes its effect a second time'),
    ours: 'refused at the commit by its fence',
    oursShown: runtime('executor', 'a zombie is refused at the commit: the newer claim decides'),
  },
  {
    need: 'Cancel',
    plain: 'within the process that has the job',
    plainShown: work('a cancel reaches jobs of its own worker alone'),
    ours: 'from anywhere; a busy thread ends, the run is `cancelled`',
    oursShown: own('a cancel reaches a busy loop in another process, and the job ends as cancelled'),
  },
  {
    need: 'Deadline',
    plain: 'none',
    plainShown: work('there is no deadline: a job ends when it likes'),
    ours: 'one of each kind; past it the run is `expired`',
    oursShown: runtime('executor', 'a run past its deadline ends as expired'),
  },
  {
    need: 'Recovery after SIGKILL, with defaults',
    plain: 'after 30 s at the earliest',
    plainShown: work('with its defaults a job of a killed process is looked for after 30 s at the earliest'),
    ours: 'within 10 s, whatever the effect class; measured below',
    oursShown: runtime(
      'recovery',
      'jobs whose process is killed are run again by another within ten seconds, whatever their effect class',
    ),
  },
  {
    need: 'A job whose process was killed twice',
    plain: 'failed without asking its processor, whatever attempts it has left',
    plainShown: work(
      'a job whose process was killed twice is failed without asking its processor, whatever attempts it has left',
    ),
    ours: 'run a third time',
    oursShown: own('a job whose process was killed twice is run a third time'),
  },
  {
    need: 'A job that kills its process each time',
    plain: 'in the failed set, like every other failure',
    ours: 'after two such ends run alone, after three alone parked as `RUN_POISONOUS`; none of those beside it is',
    oursShown: runtime(
      'recovery',
      'a job that kills its process each time is parked after a few deaths, and none of the many beside it is',
    ),
  },
  {
    need: 'A job that hangs',
    plain: 'stays active, its lock renewed, for ever',
    ours: 'ended and tried again after the longest silence of its kind; threads at work are heard by themselves',
    oursShown: runtime(
      'deadlines',
      'an attempt that hangs without a sign of life is ended and tried again, even if it does not listen',
    ),
  },
  {
    need: 'A payload that was made for an older contract',
    plain: 'reaches a processor that no longer knows it',
    ours: 'brought from version to version; one that nobody reads any more is parked with a code of its own',
    oursShown: runtime(
      'versions',
      'jobs of every version that is read run as ones of today, and the ledger says which version their outputs are of',
    ),
  },
  {
    need: 'Trying a dead job again',
    plain: 'as it is, whatever has changed since',
    ours: 'redriven once, whoever asks, if its input fits the contract of today',
    oursShown: runtime(
      'redrive',
      'an input that does not fit the contract of today is refused with the field, and the dead letter stays',
    ),
  },
  {
    need: 'Payloads that fit',
    plain: 'any shape is taken',
    plainShown: queue('a payload of any shape is taken, and reaches the processor'),
    ours: 'checked when asked for and again when run',
    oursShown: runtime('executor', 'input that does not fit its contract is refused without a second attempt'),
  },
  {
    need: 'Options that mean something',
    plain: 'an old `repeat` is taken without a word',
    plainShown: queue('a repeat of the old kind is taken without a word, and nothing recurs'),
    ours: 'schedules are declared, checked and listed',
    oursShown: {
      file: 'jobs/client/recurring.test.ts',
      title: 'refuses unknown pipelines, time zones and impossible dates',
    },
  },
  {
    need: 'Big payloads',
    plain: 'text in Redis: 100 vectors of 128 floats are over 200 KB',
    plainShown: queue('a hundred vectors of 128 floats lie in Redis as 200 KB of text and more'),
    ours: 'above 64 KiB in the store; the job carries a claim',
    oursShown: {
      file: 'jobs/client/gateway-client.test.ts',
      title: 'stores inputs above 64 KiB, so that the job carries a claim',
    },
  },
  {
    need: 'Ticks missed during downtime',
    plain: 'of ten there is one',
    plainShown: queue('ticks that were missed are not caught up: of ten there is one'),
    ours: 'run as the schedule says (`skip`, `latest`, `all`), each once, and an alert is raised',
    oursShown: runtime('catch-up', 'every tick is decided once, in order, as its policy says, whatever the downtimes'),
  },
  {
    need: 'What an emptied Redis forgot',
    plain: 'gone',
    ours: 'asked for through an outbox or the gateway: enqueued again until its run has ended',
    oursShown: runtime(
      'outbox-relay',
      'a Redis that was emptied, and one that was away, are healed: every entry runs, none that has ended runs again',
    ),
  },
  {
    need: 'Diamonds of steps',
    plain: 'a step has one parent: the second branch waits for ever',
    plainShown: queue('a step has one parent: the second branch of a diamond waits for it for ever'),
    ours: 'a join waits for all its branches',
    oursShown: runtime('orchestrator', 'a join waits for all its branches and gets their outputs'),
  },
  {
    need: 'After a failed step',
    plain: 'those after it wait for ever',
    plainShown: queue('a failed step leaves those after it waiting for ever'),
    ours: 'the run ends as failed',
    oursShown: runtime(
      'orchestrator',
      'a failed step fails the run once the other branch has ended, and nothing behind it starts',
    ),
  },
  {
    need: 'Is the worker alive?',
    plain: '`isRunning()` stays true while nothing gets through',
    plainShown: work('a worker whose connection is half-open calls itself running'),
    ours: '`/livez` says no once nothing has been answered for a while',
    oursShown: {
      file: 'test/health.test.ts',
      title: 'a worker whose Redis has stopped is not alive after the declared window, and is again when Redis is back',
    },
  },
  {
    need: 'Emptying a large queue',
    plain: 'by one command: Redis answers nobody until it is done',
    plainShown: queue(
      'a queue is emptied by one command, however many jobs it holds: nobody else is answered meanwhile',
    ),
    ours: 'finished jobs go out-of-band, a few by each command',
    oursShown: runtime('pruner', 'many jobs go by many commands, each of a few: others are answered in between'),
  },
  {
    need: 'Stopping a worker',
    plain: '`close()` waits as long as the job likes',
    plainShown: work('closing waits for a job as long as that likes'),
    ours: 'jobs are given back within a limit',
    oursShown: runtime(
      'executor-ends',
      'a worker that stops gives its run back: another takes it at once, and no attempt is lost',
    ),
  },
];
