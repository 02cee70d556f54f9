/**
 * docker's words in groups: `paddock image ls` is `paddock images`.
 *
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { didYouMean } from "../base/text.ts";
import { parseGlobalWords } from "./words.ts";

/** What stands for each word of a group. */
const GROUPS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  image: {
    history: ["history"],
    import: ["import"],
    inspect: ["inspect", "--type", "image"],
    list: ["images"],
    load: ["load"],
    ls: ["images"],
    prune: ["prune"],
    pull: ["pull"],
    push: ["push"],
    remove: ["rmi"],
    rm: ["rmi"],
    save: ["save"],
    tag: ["tag"],
    verify: ["verify"],
  },
  container: {
    attach: ["attach"],
    commit: ["commit"],
    cp: ["cp"],
    diff: ["diff"],
    exec: ["exec"],
    export: ["export"],
    inspect: ["inspect", "--type", "container"],
    kill: ["kill"],
    list: ["ps"],
    logs: ["logs"],
    ls: ["ps"],
    pause: ["pause"],
    port: ["port"],
    ps: ["ps"],
    remove: ["rm"],
    rename: ["rename"],
    restart: ["restart"],
    rm: ["rm"],
    run: ["run"],
    start: ["start"],
    stats: ["stats"],
    stop: ["stop"],
    top: ["top"],
    unpause: ["unpause"],
    update: ["update"],
    wait: ["wait"],
  },
};

/** The words with a group's taken together. @throws UsageError for a word that the group has not */
export function ungroup(argv: readonly string[]): readonly string[] {
  const name = argv.find((word) => Object.hasOwn(GROUPS, word));
  if (name === undefined) return argv;
  const { rest } = parseGlobalWords(argv);
  if (rest[0] !== name) return argv;
  // Global options may stand behind the group's name as well.
  const [word, ...own] = parseGlobalWords(rest.slice(1)).rest;
  const global = [
    ...argv.slice(0, argv.length - rest.length),
    ...rest.slice(1, rest.length - own.length - (word === undefined ? 0 : 1)),
  ];
  const group = GROUPS[name]!;
  const verb = word !== undefined && Object.hasOwn(group, word) ? group[word]! : undefined;
  if (verb !== undefined) return [...global, ...verb, ...own];
  throw new UsageError(word === undefined ? `${name} needs a further word` : `${name} has no '${word}'`, {
    hint: (word === undefined ? undefined : didYouMean(word, Object.keys(group))) ??
      `words are ${Object.keys(group).join(", ")}`,
  });
}
