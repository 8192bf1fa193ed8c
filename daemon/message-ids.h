#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The MESSAGE_ID= of records that a program or a person may wait for in the journal. Each is
 * explained in systemd/factord.catalog; a test compares the two lists. */

/* More prompts came for a factor than its budget allows; FACTORD_FACTOR= names it. */
#define MESSAGE_ID_TOO_MANY_PROMPTS "fb32d97774a04de69c2ce12d08313f32"

/* A record of the audit trail, by its event: daemon/audit-log.c has the table. */
#define MESSAGE_ID_AUDIT_DECISION "3e55c3012fb04c02bfe4bbaa37ca588c"
#define MESSAGE_ID_AUDIT_VOID "9a3394772be34dac9955ade8463583d3"
#define MESSAGE_ID_AUDIT_OUTCOME "c4d3bd412b9a4b11946f38dc5287d1b6"
#define MESSAGE_ID_AUDIT_ENROLLED "0dff8e700bd04c199545c5b7201fee9c"
#define MESSAGE_ID_AUDIT_IMPORT "59626f94c5114c3d84d2a00052cb4e68"
#define MESSAGE_ID_AUDIT_OWNER "85ad2e906f5441488573cbac0b2f50fb"
#define MESSAGE_ID_AUDIT_MATCH_FIELD "c868131afcc84dd39af44475c3386995"
#define MESSAGE_ID_AUDIT_REMOVED "1a01b8b80e6e4826b47837063786ac50"
#define MESSAGE_ID_AUDIT_REVOKED "aa6c61d8b5cd488e90b2bfec2b9e031e"
#define MESSAGE_ID_AUDIT_RESTORED "197da0bdb40e4410ac98e27ac7df8c17"
#define MESSAGE_ID_AUDIT_ALARM "bc03854bac534bf388c0d6360f9727e4"
#define MESSAGE_ID_AUDIT_MISMATCH "d02d0a5ac98248baad11937d59177849"
#define MESSAGE_ID_AUDIT_POLICY "ea170320d6064056b440268d093cc626"
#define MESSAGE_ID_AUDIT_TICKET "72f44bd58ffd47a5a5d7ffef653d354f"
#define MESSAGE_ID_AUDIT_TICKET_USED "ba24e837691d4c4a97b205c1a0ebca36"
#define MESSAGE_ID_AUDIT_TICKET_REVOKED "00752ff1a43d45ce86747c8f1d3c7dbc"
#define MESSAGE_ID_AUDIT_REFUSED "3de23e9261a84bfa82d387b107be1afe"
/* Any other event. */
#define MESSAGE_ID_AUDIT_RECORD "b9d0ee501c334cfcb89be15b947faac5"
/* How far the audit trail goes, for comparing it later: FACTORD_STORE=, FACTORD_AUDIT_ID=,
 * FACTORD_HEAD=, FACTORD_LENGTH=. */
#define MESSAGE_ID_AUDIT_HEAD "610bf36887ae4f49a187165fe7ed1caf"
/* The audit trail is not what was written; FACTORD_AUDIT_ID= is the record, 0 a checkpoint. */
#define MESSAGE_ID_AUDIT_BROKEN "6cbb8086da5e4c26b3d43cad8d42a10c"
