// Conditions of forms, as the server writes them in JSON (src/base/expr/portable.rs), worked out as it does: what has no
// value decides nothing, and what is not decided does not hold.

export type Condition = { f: string } | { v: unknown } | [string, ...unknown[]];
export type Answers = Record<string, unknown>;

export const holds = (condition: Condition, answers: Answers): boolean => decide(condition, answers) === true;

function decide(part: any, answers: Answers): any {
  if (!Array.isArray(part)) return 'f' in part ? answers[part.f] : part.v;
  const [word, one, two] = part;
  if (word === 'has') return answers[one] !== undefined;
  if (word === 'list') return part.slice(1).map((item) => decide(item, answers));
  const a = decide(one, answers);
  if (word === '!') return a === undefined ? a : !a;
  const settles = word === '||';
  if (settles || word === '&&') {
    if (a === settles) return settles;
    const b = decide(two, answers);
    return a === undefined && b !== settles ? undefined : b;
  }
  const b = decide(two, answers);
  if (a === undefined || b === undefined) return undefined;
  switch (word) {
    case '==':
      return a === b;
    case '!=':
      return a !== b;
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '>':
      return a > b;
    case '>=':
      return a >= b;
    case 'in':
      return b.includes(a);
    case 'startsWith':
      return a.startsWith(b);
    case 'endsWith':
      return a.endsWith(b);
    case 'contains':
      return a.includes(b);
  }
}
