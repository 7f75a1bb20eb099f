// SPDX-License-Identifier: Apache-2.0
// Sequences that end differently on purpose, and why; README has the same list.
export const KNOWN = {
};
