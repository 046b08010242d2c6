/** Owns what filters and updates mean to a store in memory: the portable part of MongoDB's language that the house uses, and a throw for everything else. */
type Fields = Record<string, unknown>;
type Test = (value: unknown, wanted: unknown) => boolean;

/** Thrown where a filter or an update says what this store does not know: a test that needs it has to teach it. */
function unknown(what: string): never {
  throw new Error(`the store in memory does not know ${what}`);
}

export function isFields(value: unknown): value is Fields {
  if (typeof value !== 'object' || value === null) return false;
  return Object.getPrototypeOf(value) === Object.prototype;
}

/** Order of values of one type; undefined where they are of two. */
function order(a: unknown, b: unknown): number | undefined {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : Number(a > b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  return undefined;
}

function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a === null || b === null) return (a ?? null) === (b ?? null);
  return a instanceof Uint8Array && order(a, b) === 0;
}

/** A field of a list is also what each of its elements is. */
const anyOf = (value: unknown, holds: (one: unknown) => boolean): boolean =>
  holds(value) || (Array.isArray(value) && value.some(holds));

const ordered =
  (holds: (sign: number) => boolean): Test =>
  (value, wanted) =>
    anyOf(value, (one) => {
      const sign = order(one, wanted);
      return sign !== undefined && holds(sign);
    });

const isIn: Test = (value, wanted) =>
  anyOf(value, (one) => (wanted as readonly unknown[]).some((other) => isEqual(one, other)));
const equals: Test = (value, wanted) => anyOf(value, (one) => isEqual(one, wanted));

const OPERATORS: Readonly<Record<string, Test>> = {
  $eq: equals,
  $ne: (value, wanted) => !equals(value, wanted),
  $in: isIn,
  $nin: (value, wanted) => !isIn(value, wanted),
  $gt: ordered((sign) => sign > 0),
  $gte: ordered((sign) => sign >= 0),
  $lt: ordered((sign) => sign < 0),
  $lte: ordered((sign) => sign <= 0),
  $exists: (value, wanted) => (value !== undefined) === wanted,
};

/** What lies under a dotted path; of a list, what lies under it in each element. */
export function at(document: unknown, path: string): unknown {
  let value: unknown = document;
  for (const name of path.split('.')) {
    if (Array.isArray(value)) value = value.map((one) => (isFields(one) ? one[name] : undefined));
    else if (isFields(value)) value = value[name];
    else return undefined;
  }
  return value;
}

export function matches(document: Fields, filter: Fields): boolean {
  return Object.entries(filter).every(([path, wanted]) => {
    if (path === '$or') return (wanted as Fields[]).some((one) => matches(document, one));
    if (path === '$and') return (wanted as Fields[]).every((one) => matches(document, one));
    if (path.startsWith('$')) return unknown(`the filter ${path}`);
    const value = path === '_id' ? document['_id'] : at(document, path);
    if (!isFields(wanted) || !Object.keys(wanted).some((name) => name.startsWith('$'))) return equals(value, wanted);
    return Object.entries(wanted).every(([name, operand]) =>
      (OPERATORS[name] ?? unknown(`the operator ${name}`))(value, operand),
    );
  });
}

/** The fields above the last name of a path, made where they are not. */
function parentOf(document: Fields, path: string): [Fields, string] {
  const names = path.split('.');
  const last = names.pop()!;
  let fields = document;
  for (const name of names) {
    const under = fields[name];
    if (isFields(under)) fields = under;
    else {
      const made: Fields = {};
      fields[name] = made;
      fields = made;
    }
  }
  return [fields, last];
}

type Change = (fields: Fields, name: string, operand: unknown) => void;

const larger = (sign: number): Change => {
  return (fields, name, operand) => {
    const before = fields[name];
    const moved = before === undefined ? 1 : sign * (order(operand, before) ?? unknown('an order of two types'));
    if (moved > 0) fields[name] = operand;
  };
};

const CHANGES: Readonly<Record<string, Change>> = {
  $set: (fields, name, operand) => {
    if (operand !== undefined) fields[name] = operand;
  },
  $unset: (fields, name) => {
    delete fields[name];
  },
  $inc: (fields, name, operand) => {
    fields[name] = ((fields[name] as number | undefined) ?? 0) + (operand as number);
  },
  $max: larger(1),
  $min: larger(-1),
  $addToSet: (fields, name, operand) => {
    const list = (fields[name] ??= []) as unknown[];
    const each = isFields(operand) && '$each' in operand ? (operand['$each'] as unknown[]) : [operand];
    for (const one of each) if (!list.some((other) => isEqual(one, other))) list.push(one);
  },
  $pull: (fields, name, operand) => {
    const list = fields[name] as unknown[] | undefined;
    if (isFields(operand)) unknown('$pull by a filter');
    if (list !== undefined) fields[name] = list.filter((one) => !isEqual(one, operand));
  },
};

/** Changes a document of one's own. `isNew`: it is about to be inserted. */
export function change(document: Fields, update: Fields, isNew: boolean): void {
  for (const [operator, operands] of Object.entries(update)) {
    if (operator === '$setOnInsert' && !isNew) continue;
    const apply = CHANGES[operator === '$setOnInsert' ? '$set' : operator] ?? unknown(`the update ${operator}`);
    for (const [path, operand] of Object.entries(operands as Fields)) apply(...parentOf(document, path), operand);
  }
}

/** What an upsert inserts before its update: the plain fields of its filter. */
export function seedOf(filter: Fields): Fields {
  const plain = Object.entries(filter).filter(([name, wanted]) => !name.startsWith('$') && !isFields(wanted));
  return Object.fromEntries(plain);
}

export function sorted(documents: Fields[], sort: Fields): Fields[] {
  return documents.sort((a, b) => {
    for (const [path, direction] of Object.entries(sort)) {
      const sign = order(at(a, path), at(b, path)) ?? 0;
      if (sign !== 0) return sign * (direction as number);
    }
    return 0;
  });
}

/** The fields that are asked for; all of them but some, where those are named by 0. */
export function projected(document: Fields, projection: Fields): Fields {
  const names = Object.entries(projection);
  const left = names.filter(([, wanted]) => wanted === 0).map(([name]) => name);
  if (left.length === names.length)
    return Object.fromEntries(Object.entries(document).filter(([name]) => !left.includes(name)));
  const made: Fields = left.includes('_id') ? {} : { _id: document['_id'] };
  for (const [path, wanted] of names) {
    if (wanted === 0) continue;
    const value = at(document, path);
    if (value === undefined) continue;
    const [fields, name] = parentOf(made, path);
    fields[name] = value;
  }
  return made;
}
