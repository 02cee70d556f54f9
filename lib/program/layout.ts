/**
 * What lies where in a launcher's data: shared by what writes it and what reads it back.
 *
 * @module
 */

/** What an argument of a step is, as kept in the program for people: four bits apiece. */
export const KINDS = ["none", "number", "flags", "text", "block", "region", "load", "result"] as const;
export type Kind = typeof KINDS[number];

/** The first bytes of a launcher's data, by which it is known. */
export const MAGIC = "paddock\0";
/** Changes with every change of the layout. */
export const LAYOUT_VERSION = 3;

/** Where the fields of the data header lie; all are 32-bit but the magic, the size and the last two. Addresses are of the running program. */
export const HEADER = {
  magic: 0,
  version: 8,
  arch: 12,
  size: 16,
  steps: 24,
  name: 32,
  nameLength: 36,
  errors: 40,
  whats: 44,
  status: 48,
  fault: 56,
} as const;

/** Names that a plan may use in `{ region }` without declaring them: places that the compiler itself makes. */
export const BUILT_IN = {
  /** Start of the data segment: header, table, regions, strings. */
  data: "@data",
  /** 64-bit word: the container's wait status (`man 2 wait4`), once it has ended. */
  status: "@status",
  /** 64-bit word: the address of the step that failed; 0 as long as none has. */
  fault: "@fault",
  /** A 64-bit word that holds the size of the data segment's file part. */
  size: "@size",
  /** Where the texts and structs begin that nothing writes into; they go on to the end. */
  constants: "@constants",
  /** Table of error names and meanings: {u32 address, u32 length} by error number. */
  errors: "@errors",
  /** Table of what steps do: {u32 address, u32 length} by the index in the step. */
  whats: "@whats",
} as const;
