#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The MESSAGE_ID= of records that a program or a person may wait for in the journal. Each is
 * explained in systemd/factord.catalog; a test compares the two lists. */

/* More prompts came for a factor than its budget allows; FACTORD_FACTOR= names it. */
#define MESSAGE_ID_TOO_MANY_PROMPTS "fb32d97774a04de69c2ce12d08313f32"
