/**
 * The filter box of tables: words that have to occur in the name, and conditions on columns.
 *
 * `orders depth:>100 state:paused -test` means: the name contains `orders`, the column `depth` is above 100, the column
 * `state` contains `paused`, and the name does not contain `test`. Case does not matter.
 */

/** What a row has under a name of the filter; undefined when there is no such column. */
export type Lookup = (column: string) => string | number | null | undefined;

/** Null in `column` stands for the name of the row. */
interface Condition {
  column: string | null;
  operator: "contains" | ">" | "<" | ">=" | "<=";
  operand: string;
  isNegated: boolean;
}

/** A filter, and what of it was not understood. */
export interface Filter {
  matches(name: string, lookup: Lookup): boolean;
  /** Sentences for the one who typed it; empty when all is well. */
  problems: string[];
}

/** @param columns names that conditions may be on */
export function parseFilter(text: string, columns: readonly string[]): Filter {
  const problems: string[] = [];
  const conditions = text.split(/\s+/).filter((word) => word !== "").flatMap((word) => {
    const condition = parseWord(word);
    if (condition.column !== null && !columns.includes(condition.column)) {
      problems.push(`There is no column "${condition.column}" here: ${columns.join(", ")}`);
      return [];
    }
    if (condition.operator !== "contains" && !isNumber(condition.operand)) {
      problems.push(`"${word}" compares with something that is no number`);
      return [];
    }
    return [condition];
  });
  return {
    problems,
    matches: (name, lookup) => conditions.every((condition) => holds(condition, name, lookup)),
  };
}

function parseWord(word: string): Condition {
  const isNegated = word.length > 1 && word.startsWith("-");
  const positive = isNegated ? word.slice(1) : word;
  const match = /^([a-z_]+):(>=|<=|>|<)?(.+)$/i.exec(positive);
  if (match === null) {
    return { column: null, operator: "contains", operand: positive.toLowerCase(), isNegated };
  }
  return {
    column: match[1].toLowerCase(),
    operator: (match[2] ?? "contains") as Condition["operator"],
    operand: match[3].toLowerCase(),
    isNegated,
  };
}

function isNumber(text: string): boolean {
  return text !== "" && Number.isFinite(Number(text));
}

function holds({ column, operator, operand, isNegated }: Condition, name: string, lookup: Lookup): boolean {
  const value = column === null ? name : lookup(column) ?? null;
  return compare(value, operator, operand) !== isNegated;
}

function compare(value: string | number | null, operator: Condition["operator"], operand: string): boolean {
  if (value === null) return false;
  if (operator === "contains") {
    return typeof value === "number" ? value === Number(operand) : value.toLowerCase().includes(operand);
  }
  const limit = Number(operand);
  const figure = Number(value);
  switch (operator) {
    case ">":
      return figure > limit;
    case "<":
      return figure < limit;
    case ">=":
      return figure >= limit;
    case "<=":
      return figure <= limit;
  }
}
