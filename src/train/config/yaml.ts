import {
  type Document,
  isAlias,
  isCollection,
  isPair,
  isScalar,
  Lexer,
  LineCounter,
  type Node,
  parseDocument,
} from "yaml";
import { messageOf, UserError } from "../../errors.js";
import { shown } from "../../formats/randomAccess.js";

/** Bounds that no configuration comes near: the parser's time grows with the square of some of them. */
const LIMITS = {
  characters: 2 ** 18,
  tokens: 10_000,
  /** Brackets around a value, and columns before it. */
  depth: 64,
  indent: 256,
  /** Values, those behind an alias counted each time. */
  values: 10_000,
  /** Characters of a field's name. */
  key: 100,
} as const;

/** Errors that are listed; the others are counted. */
const MOST_LISTED = 5;

/** `name:line:column` of an offset in the text. */
type Locate = (offset: number) => string;

export type Yaml = {
  readonly document: Document;
  readonly value: unknown;
  readonly place: Locate;
};

/**
 * Parses one YAML document and resolves its aliases. Throws a `UserError` for what is no YAML, for an alias without an anchor
 * before it or inside of it, and for a text that is larger, deeper or expands to more than any configuration.
 */
export const parseYaml = (text: string, name: string): Yaml => {
  checkText(text, name);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const place: Locate = (offset) => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  checkErrors(document, place);
  checkAliases(document, place);
  try {
    return { document, place, value: document.toJS({ maxAliasCount: LIMITS.values }) as unknown };
  } catch (thrown) {
    throw new UserError(`${place(0)} ${shown(messageOf(thrown), 200)}`);
  }
};

const checkErrors = ({ errors }: Document, place: Locate): void => {
  if (errors.length === 0) return;
  const listed = errors.slice(0, MOST_LISTED).map(({ pos, message }) => `${place(pos[0])} ${shown(message, 200)}`);
  const more = errors.length > MOST_LISTED ? [`and ${errors.length - MOST_LISTED} more`] : [];
  throw new UserError([...listed, ...more].join("\n"));
};

/** Size and depth, before the parser sees the text. */
const checkText = (text: string, name: string): void => {
  if (text.length > LIMITS.characters)
    throw new UserError(`${name}: it has ${text.length} characters; a configuration has at most ${LIMITS.characters}`);
  let [line, depth, count] = [1, 0, 0];
  const refuse = (problem: string): UserError => new UserError(`${name}:${line} ${problem}`);
  for (const token of new Lexer().lex(text)) {
    if (token === "[" || token === "{") depth++;
    else if (token === "]" || token === "}") depth = Math.max(0, depth - 1);
    if (depth > LIMITS.depth) throw refuse(`is nested more than ${LIMITS.depth} deep`);
    if (++count > LIMITS.tokens)
      throw refuse(`goes on after ${LIMITS.tokens} words and marks, which no configuration has`);
    for (let at = token.indexOf("\n"); at >= 0; at = token.indexOf("\n", at + 1)) line++;
  }
  const deep = text.split("\n").findIndex((each) => /^[ \-?:]*/.exec(each)![0].length > LIMITS.indent);
  if (deep >= 0) throw new UserError(`${name}:${deep + 1} is indented by more than ${LIMITS.indent} columns`);
};

/** Counts values, those behind aliases each time, in the order of the text: an anchor stands before its aliases. */
const checkAliases = ({ contents }: Document, place: Locate): void => {
  const sizes = new Map<string, number | undefined>(); // undefined: the anchor's own value is not closed yet
  const sizeOf = (node: unknown): number => {
    if (isPair(node)) {
      if (isCollection(node.key) || isAlias(node.key)) throw refuse(node.key, "is no name of a field, which is a word");
      if (isScalar(node.key) && String(node.key.value).length > LIMITS.key)
        throw refuse(node.key, `is a name of more than ${LIMITS.key} characters, which no field has`);
      return sizeOf(node.key) + sizeOf(node.value);
    }
    if (isAlias(node)) return aliasSize(node.source, node);
    if (!isCollection(node)) return remember(node, 1);
    if (node.anchor) sizes.set(node.anchor, undefined);
    const size = node.items.reduce<number>((sum, item) => within(sum + sizeOf(item), node), 1);
    return remember(node, size);
  };
  const remember = (node: unknown, size: number): number => {
    const anchor = (node as { anchor?: string } | null)?.anchor;
    if (anchor) sizes.set(anchor, size);
    return size;
  };
  const refuse = (node: Node, problem: string): UserError => new UserError(`${place(node.range?.[0] ?? 0)} ${problem}`);
  const within = (size: number, node: Node): number => {
    if (size > LIMITS.values)
      throw refuse(node, `stands for more than ${LIMITS.values} values once its aliases are resolved`);
    return size;
  };
  const aliasSize = (source: string, node: Node): number => {
    if (!sizes.has(source)) throw refuse(node, `the alias *${shown(source)} has no anchor &${shown(source)} before it`);
    const size = sizes.get(source);
    if (size === undefined) throw refuse(node, `the alias *${shown(source)} stands inside of what it refers to`);
    return size;
  };
  sizeOf(contents);
};
