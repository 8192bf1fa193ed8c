#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration's keys: one table with what each is read by, where it goes, and its default. */

#include "daemon/config.h"

#define CONFIG_SPAN_MIN (100 * USEC_PER_MSEC)
#define CONFIG_SPAN_MAX (36500 * USEC_PER_DAY)
#define CONFIG_REQUESTS_PER_SECOND_MAX 100000
#define CONFIG_CONCURRENT_REQUESTS_MAX 1024
#define CONFIG_BUDGET_MAX 100000
#define CONFIG_AUDIT_SIZE_MIN 4096
#define CONFIG_CUSTOM_KEY_MAX 64
#define CONFIG_CREDENTIAL_NAME_MAX 255
#define CONFIG_SOCKET_MAX 107 /* bytes in sockaddr_un.sun_path, without the NUL */

/* The section of the table that stands for every [Account NAME]. */
#define CONFIG_SECTION_ACCOUNT "Account"
/* The section and the start of the keys that are not in the table: fixed facts of one's own. */
#define CONFIG_SECTION_DEVICE "Device"
#define CONFIG_CUSTOM_PREFIX "Custom."

typedef enum ConfigItemFlags {
        CONFIG_ITEM_QUIET = 1 << 0, /* may hold, or be mistaken for, a secret: never shown */
        CONFIG_ITEM_EMPTY = 1 << 1, /* empty is a value, not a return to the default */
} ConfigItemFlags;

/* Reads a value into its target. On -EINVAL the reason is in *reterr_msg, without the key. */
typedef int (*config_parse_t)(const char *value, void *target, char **reterr_msg);

typedef struct ConfigItem {
        const char *section;
        const char *key;
        config_parse_t parse;
        size_t offset;        /* of the target, in Config or in ConfigAccount */
        const char *fallback; /* the default, as it would be written; NULL: no text */
        unsigned flags;
} ConfigItem;

/* The whole table; static. */
const ConfigItem *config_items(size_t *ret_n);
/* The item of that name, or NULL. */
const ConfigItem *config_item_find(const char *section, const char *key);

/* Sets the item's target in object (a Config or a ConfigAccount) to value; an empty one returns it
 * to the default. A faulty text is kept all the same: the load fails by the fault, and nothing then
 * calls the key missing. Returns 0, -EINVAL with the reason, -ENOMEM. */
int config_item_set(const ConfigItem *item, void *object, const char *value, char **reterr_msg);
/* Sets what has a default in the table. Returns 0 or -ENOMEM. */
int config_set_defaults(Config *c);

/* Why a key after "Custom." or its value can't be, or NULL. Static text. */
const char *config_custom_fault(const char *key, const char *value);

bool config_section_known(const char *section);
/* What to do about a section or a key that is not known: "did you mean …?", where the key belongs,
 * or to remove it. section is without an account's name. *ret is new. Return 0 or -ENOMEM. */
int config_section_hint(const char *section, char **ret);
int config_key_hint(const char *section, const char *key, char **ret);
