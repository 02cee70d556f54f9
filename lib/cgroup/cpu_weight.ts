/**
 * Weights of v1 in the units of v2.
 *
 * @module
 */

/**
 * `cpu.weight` (1 to 10000, default 100) from `cpu.shares` (2 to 262144, default 1024).
 *
 * The quadratic in log2 that crun and runc use since 2025 (opencontainers/cgroups PR 20, crun PR 1767): it maps the
 * least, the default and the greatest onto each other, where the older linear formula made 39 of the default.
 */
export function convertSharesToWeight(shares: number): number {
  if (shares <= 2) return 1;
  if (shares >= 262144) return 10000;
  const l = Math.log2(shares);
  const exponent = (l * l + 125 * l) / 612 - 7 / 34;
  // Rounded before it is rounded up: floating point must not make 101 of the default.
  return Math.ceil(Number((10 ** exponent).toFixed(9)));
}

/** `io.weight` (1 to 10000) from a `blkio.weight` (10 to 1000), the linear map that runc and crun use (crun.1, "IO controller"). */
export function convertBlkioWeight(weight: number): number {
  return 1 + Math.floor(((weight - 10) * 9999) / 990);
}
