/**
 * Rules of nf_tables as messages to the kernel (linux/netfilter/nf_tables.h, linux/netfilter/nfnetlink.h).
 *
 * What stands in one batch happens together or not at all. The bytes are those that `nft` sends for the same; a test
 * compares. Expressions are in `nft_expressions.ts`.
 *
 * @module
 */
import { attribute, be16, be32, concatenate, cText, message, nested, NLM_F, readAttributes, u32 } from "./message.ts";

/** `NFT_MSG_`, each with the subsystem in its high byte. */
const SUBSYSTEM = 10 << 8;
const NEWTABLE = SUBSYSTEM | 0;
const GETTABLE = SUBSYSTEM | 1;
const DELTABLE = SUBSYSTEM | 2;
const NEWCHAIN = SUBSYSTEM | 3;
const NEWRULE = SUBSYSTEM | 6;
const DELRULE = SUBSYSTEM | 8;
const NEWSET = SUBSYSTEM | 9;
const NEWSETELEM = SUBSYSTEM | 12;
const GETSETELEM = SUBSYSTEM | 13;
const DELSETELEM = SUBSYSTEM | 14;
const BATCH_BEGIN = 0x10;
const BATCH_END = 0x11;

const TABLE_NAME = 1;
const TABLE_FLAGS = 2;
const CHAIN_TABLE = 1;
const CHAIN_NAME = 3;
const CHAIN_HOOK = 4;
const CHAIN_POLICY = 5;
const CHAIN_TYPE = 7;
const HOOK_NUMBER = 1;
const HOOK_PRIORITY = 2;
const RULE_TABLE = 1;
const RULE_CHAIN = 2;
const RULE_EXPRESSIONS = 4;
const SET_TABLE = 1;
const SET_NAME = 2;
const SET_FLAGS = 3;
const SET_KEY_TYPE = 4;
const SET_KEY_LENGTH = 5;
const SET_DATA_TYPE = 6;
const SET_DATA_LENGTH = 7;
const SET_ID = 10;
const SET_USERDATA = 13;
const ELEMENTS_TABLE = 1;
const ELEMENTS_SET = 2;
const ELEMENTS = 3;
const ELEMENTS_SET_ID = 4;
const ELEMENT_KEY = 1;
const ELEMENT_DATA = 2;
const DATA_VALUE = 1;
const DATA_VERDICT = 2;
const VERDICT_CODE = 1;
const VERDICT_CHAIN = 2;
const LIST_ELEMENT = 1;

/** `NFT_SET_MAP`. */
const MAP_FLAG = 8;

/** `NF_INET_` hooks. */
const HOOKS = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const;
const ACCEPT = 1;

/** `NFPROTO_`. */
const FAMILIES = { inet: 1, ip: 2, ip6: 10 } as const;

/** Which packets a table is for. */
export type Family = keyof typeof FAMILIES;

/** A table, by which everything in it is found. */
export interface TableName {
  readonly family: Family;
  readonly name: string;
}

/** Where packets come into a chain; a chain without is one that rules jump to. */
export interface Hook {
  readonly type: "filter" | "nat";
  readonly at: keyof typeof HOOKS;
  /** Less is earlier: connection tracking is at -200. */
  readonly priority: number;
}

export interface Chain {
  readonly name: string;
  readonly hook?: Hook;
  readonly rules: readonly Rule[];
}

/** A piece of a rule: it loads, compares, looks up or decides (`nft_expressions.ts`). */
export type Expression = Uint8Array;

/** Expressions, one after the other, until one does not hold. */
export type Rule = readonly Expression[];

/** What keys and values are: `nft`'s number for it, the bytes that it takes, and their order as `nft` counts orders. */
export interface DataType {
  readonly id: number;
  readonly size: number;
  readonly order: number;
}

/** `enum byteorder` of `nft`. */
const NO_ORDER = 0;
const HOST_ORDER = 1;
const NETWORK_ORDER = 2;

/** `nft`'s data types (`enum datatypes`), which the kernel keeps and does not look at. */
export const TYPES = {
  // The kernel knows the length of a verdict.
  verdict: { id: 0xffffff00, size: 0, order: NO_ORDER },
  address4: { id: 7, size: 4, order: NETWORK_ORDER },
  address6: { id: 8, size: 16, order: NETWORK_ORDER },
  protocol: { id: 12, size: 1, order: NETWORK_ORDER },
  port: { id: 13, size: 2, order: NETWORK_ORDER },
  interfaceName: { id: 41, size: 16, order: HOST_ORDER },
} as const satisfies Readonly<Record<string, DataType>>;

/** A set of keys, each of one part or more; with values it is a map. */
export interface NftSet {
  readonly name: string;
  /** Its place among the sets of its table, from 1: rules in the same batch find it by that. */
  readonly id: number;
  readonly key: readonly DataType[];
  readonly value?: readonly DataType[];
}

/** An element of a set or map: the bytes of each part. */
export interface Element {
  readonly key: readonly Uint8Array[];
  /** The parts of its value, or what becomes of the packet. */
  readonly value?: readonly Uint8Array[] | Verdict;
}

/** What becomes of a packet. */
export type Verdict = "accept" | "drop" | "return" | { readonly jump: string };

/** A change in a batch: a message but for its place in it. */
export type Change = (sequence: number) => Uint8Array;

/** Everything of these changes, together or not at all. */
export function batch(changes: readonly Change[]): Uint8Array {
  const framed = [frame(BATCH_BEGIN), ...changes, frame(BATCH_END)];
  return concatenate(framed.map((change, sequence) => change(sequence)));
}

/** A table, unless it is there. */
export function newTable(table: TableName): Change {
  return change(NEWTABLE, 0, table.family, nftName(TABLE_NAME, table.name), attribute(TABLE_FLAGS, be32(0)));
}

/** Removes a table and all that is in it. */
export function deleteTable(table: TableName): Change {
  return change(DELTABLE, 0, table.family, nftName(TABLE_NAME, table.name));
}

/** A chain without its rules, unless it is there. */
export function newChain({ family, name: table }: TableName, { name, hook }: Chain): Change {
  return change(
    NEWCHAIN,
    NLM_F.CREATE,
    family,
    nftName(CHAIN_TABLE, table),
    nftName(CHAIN_NAME, name),
    ...(hook === undefined ? [] : [
      nftName(CHAIN_TYPE, hook.type),
      attribute(CHAIN_POLICY, be32(ACCEPT)),
      nested(
        CHAIN_HOOK,
        attribute(HOOK_NUMBER, be32(HOOKS[hook.at])),
        attribute(HOOK_PRIORITY, be32(hook.priority >>> 0)),
      ),
    ]),
  );
}

/** Removes all rules of a chain. */
export function flushChain({ family, name: table }: TableName, chain: string): Change {
  return change(DELRULE, 0, family, nftName(RULE_TABLE, table), nftName(RULE_CHAIN, chain));
}

/** A rule behind those that the chain has. */
export function newRule({ family, name: table }: TableName, chain: string, rule: Rule): Change {
  return change(
    NEWRULE,
    NLM_F.CREATE | NLM_F.APPEND,
    family,
    nftName(RULE_TABLE, table),
    nftName(RULE_CHAIN, chain),
    nested(RULE_EXPRESSIONS, ...rule),
  );
}

/** A set or map without its elements, unless it is there. */
export function newSet({ family, name: table }: TableName, { name, id, key, value }: NftSet): Change {
  return change(
    NEWSET,
    NLM_F.CREATE,
    family,
    nftName(SET_TABLE, table),
    nftName(SET_NAME, name),
    attribute(SET_FLAGS, be32(value === undefined ? 0 : MAP_FLAG)),
    attribute(SET_KEY_TYPE, be32(typeOf(key))),
    attribute(SET_KEY_LENGTH, be32(lengthOf(key))),
    ...(value === undefined ? [] : [
      attribute(SET_DATA_TYPE, be32(typeOf(value))),
      attribute(SET_DATA_LENGTH, be32(lengthOf(value))),
    ]),
    attribute(SET_ID, be32(id)),
    attribute(SET_USERDATA, userData(key, value)),
  );
}

/** How elements are added. */
export interface ElementOptions {
  /** An error where one is there already; otherwise only where it is there with another value. */
  readonly exclusive?: boolean;
  /** The kernel answers when it is done, and not only to what fails. */
  readonly acknowledge?: boolean;
}

/** Elements of a set or map. */
export function newElements(
  { family, name: table }: TableName,
  set: NftSet,
  elements: readonly Element[],
  { exclusive = false, acknowledge = false }: ElementOptions = {},
): Change {
  return change(
    NEWSETELEM,
    NLM_F.CREATE | (exclusive ? NLM_F.EXCL : 0) | (acknowledge ? NLM_F.ACK : 0),
    family,
    nftName(ELEMENTS_TABLE, table),
    nftName(ELEMENTS_SET, set.name),
    attribute(ELEMENTS_SET_ID, be32(set.id)),
    nested(ELEMENTS, ...elements.map((element) => elementOf(element))),
  );
}

/** Removes elements by their keys. */
export function deleteElements(
  { family, name: table }: TableName,
  set: NftSet,
  keys: readonly (readonly Uint8Array[])[],
): Change {
  return change(
    DELSETELEM,
    0,
    family,
    nftName(ELEMENTS_TABLE, table),
    nftName(ELEMENTS_SET, set.name),
    nested(ELEMENTS, ...keys.map((key) => elementOf({ key }))),
  );
}

/** Removes all elements of a set or map. */
export function flushSet({ family, name: table }: TableName, set: NftSet): Change {
  return change(DELSETELEM, 0, family, nftName(ELEMENTS_TABLE, table), nftName(ELEMENTS_SET, set.name));
}

/** Asks for a table; an error where there is none. */
export function getTable(table: TableName): Uint8Array {
  return change(GETTABLE, NLM_F.ACK, table.family, nftName(TABLE_NAME, table.name))(0);
}

/** Asks for all elements of a set or map. */
export function listElements({ family, name: table }: TableName, set: string): Uint8Array {
  return change(GETSETELEM, NLM_F.DUMP, family, nftName(ELEMENTS_TABLE, table), nftName(ELEMENTS_SET, set))(0);
}

/** An attribute for a verdict in an immediate expression or an element. */
export function verdictData(verdict: Verdict): Uint8Array {
  const [code, chain] = typeof verdict === "object" ? [JUMP, verdict.jump] : [VERDICTS[verdict], undefined];
  return nested(
    DATA_VERDICT,
    attribute(VERDICT_CODE, be32(code)),
    ...(chain === undefined ? [] : [nftName(VERDICT_CHAIN, chain)]),
  );
}

const VERDICTS = { drop: 0, accept: 1, return: 0xfffffffb } as const;
const JUMP = 0xfffffffd;

/** An attribute for bytes that are compared, looked up or given. */
export function valueData(...parts: readonly Uint8Array[]): Uint8Array {
  return attribute(DATA_VALUE, ...parts);
}

/** Parts of a key or value one after the other, each filled up to four bytes. */
export function joinKey(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1
    ? parts[0]!
    : concatenate(parts.flatMap((part) => [part, new Uint8Array(padded(part.length) - part.length)]));
}

function elementOf({ key, value }: Element): Uint8Array {
  const verdict = value === undefined || isParts(value) ? undefined : value;
  return nested(
    LIST_ELEMENT,
    nested(ELEMENT_KEY, valueData(joinKey(key))),
    ...(value === undefined ? [] : [
      nested(
        ELEMENT_DATA,
        verdict === undefined ? valueData(joinKey(value as Uint8Array[])) : verdictData(verdict),
      ),
    ]),
  );
}

function isParts(value: readonly Uint8Array[] | Verdict): value is readonly Uint8Array[] {
  return Array.isArray(value);
}

/** Several types in one number, six bits each, as `nft` has it. */
function typeOf(types: readonly DataType[]): number {
  return types.reduce((sum, { id }) => types.length === 1 ? id : (sum << 6 | id), 0);
}

function lengthOf(types: readonly DataType[]): number {
  return types.length === 1 ? types[0]!.size : types.reduce((sum, { size }) => sum + padded(size), 0);
}

function padded(size: number): number {
  return Math.ceil(size / 4) * 4;
}

/**
 * What `nft` notes with a set for its own listing (`enum nftnl_udata_set_types` of libnftnl): the order of bytes in keys
 * and values, that parts were put together, and that values are no ranges. Lengths are one byte, after the type.
 */
function userData(key: readonly DataType[], value: readonly DataType[] | undefined): Uint8Array {
  return concatenate([
    note(0, u32(orderOf(key))),
    ...(value === undefined ? [] : [note(1, u32(orderOf(value)))]),
    ...(key.length > 1 ? [note(3, TOGETHER)] : []),
    ...(value === undefined ? [] : [...(value.length > 1 ? [note(4, TOGETHER)] : []), note(6, u32(0))]),
  ]);
}

function note(type: number, value: Uint8Array): Uint8Array {
  return concatenate([Uint8Array.of(type, value.length), value]);
}

/** An expression of `nft` that puts parts together, of which nothing more is said. */
const TOGETHER = concatenate([note(0, u32(13)), note(1, new Uint8Array(0))]);

function orderOf(types: readonly DataType[]): number {
  return types.length === 1 ? types[0]!.order : NO_ORDER;
}

function nftName(type: number, value: string): Uint8Array {
  return attribute(type, cText(value));
}

/** A message with `struct nfgenmsg`: the family, version 0, no resource. */
function change(type: number, flags: number, family: Family, ...attributes: readonly Uint8Array[]): Change {
  const about = Uint8Array.of(FAMILIES[family], 0, 0, 0);
  return (sequence) => message({ type, flags: NLM_F.REQUEST | flags, sequence }, about, ...attributes);
}

/** The resource of a batch's ends is the subsystem. */
function frame(type: number): Change {
  const about = concatenate([Uint8Array.of(0, 0), be16(SUBSYSTEM >> 8)]);
  return (sequence) => message({ type, flags: NLM_F.REQUEST, sequence }, about);
}

/** The key and value of each element in the answer to `listElements`; whole messages. */
export function readElements(
  messages: readonly Uint8Array[],
): { readonly key: Uint8Array; readonly value?: Uint8Array }[] {
  return messages.flatMap((bytes) => {
    const list = readAttributes(bytes, 20).get(ELEMENTS)?.value ?? new Uint8Array();
    return listOf(list).flatMap((element) => {
      const parts = readAttributes(element);
      const bytesOf = (type: number) =>
        readAttributes(parts.get(type)?.value ?? new Uint8Array()).get(DATA_VALUE)?.value;
      const [key, value] = [bytesOf(ELEMENT_KEY), bytesOf(ELEMENT_DATA)];
      return key === undefined ? [] : [{ key, ...(value === undefined ? {} : { value }) }];
    });
  });
}

/** Attributes of which there are many of one type. */
function listOf(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const found: Uint8Array[] = [];
  for (let at = 0; at + 4 <= bytes.length;) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > bytes.length) break;
    found.push(bytes.subarray(at + 4, at + length));
    at += padded(length);
  }
  return found;
}
