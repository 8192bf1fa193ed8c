/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/import.h"

#include <ctype.h>
#include <errno.h>
#include <json-c/json.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "daemon/parameters.h"
#include "daemon/provider-call.h"
#include "daemon/view.h"
#include "totp/otpauth.h"

#define IMPORT_ACCOUNTS_MAX 1000

typedef struct ImportParameters {
        Secret data;
        char *name, *link, *account, *service_sid, *identity;
        int64_t owner;
} ImportParameters;

static const JsonField import_fields[] = {
                {"data", JSON_SECRET, offsetof(ImportParameters, data), JSON_MANDATORY},
                {"name", JSON_STRING, offsetof(ImportParameters, name), JSON_NULLABLE},
                {"owner", JSON_INT, offsetof(ImportParameters, owner), JSON_NULLABLE},
                {"link", JSON_STRING, offsetof(ImportParameters, link), JSON_NULLABLE},
                {"account", JSON_STRING, offsetof(ImportParameters, account), JSON_NULLABLE},
                {"service_sid", JSON_STRING, offsetof(ImportParameters, service_sid),
                                JSON_NULLABLE},
                {"identity", JSON_STRING, offsetof(ImportParameters, identity), JSON_NULLABLE},
};

static void import_parameters_done(ImportParameters *p) {
        json_fields_done(import_fields, ELEMENTSOF(import_fields), p);
}

typedef struct ImportList {
        OtpAccount *items;
        size_t n;
} ImportList;

static void import_list_done(ImportList *l) {
        for (size_t i = 0; i < l->n; i++)
                otp_account_done(&l->items[i]);
        free(l->items);
}

/* Moves accounts to the end of the list. */
static int import_list_append(ImportList *l, OtpAccount *accounts, size_t n) {
        OtpAccount *grown;

        if (l->n + n > IMPORT_ACCOUNTS_MAX)
                return -E2BIG;
        grown = reallocarray(l->items, l->n + n + 1, sizeof(OtpAccount));
        if (!grown)
                return -ENOMEM;
        l->items = grown;
        memcpy(l->items + l->n, accounts, n * sizeof(OtpAccount));
        memset(accounts, 0, n * sizeof(OtpAccount));
        l->n += n;
        return 0;
}

static int import_line(ImportList *l, const char *line, size_t len, char **reterr_msg) {
        static const char migration[] = "otpauth-migration:";
        OtpAccount *accounts = NULL;
        size_t n = 0;
        int r;

        if (len > sizeof(migration) && strncasecmp(line, migration, sizeof(migration) - 1) == 0)
                r = otpauth_migration_parse(&accounts, &n, line, len, reterr_msg);
        else {
                accounts = calloc(1, sizeof(OtpAccount));
                if (!accounts)
                        return -ENOMEM;
                r = otpauth_parse(accounts, line, len, reterr_msg);
                n = r >= 0;
        }
        if (r >= 0)
                r = import_list_append(l, accounts, n);
        if (r == -E2BIG)
                r = error_set(reterr_msg, r, "More than %i accounts", IMPORT_ACCOUNTS_MAX);
        for (size_t i = 0; i < n; i++)
                otp_account_done(&accounts[i]);
        free(accounts);
        return r;
}

/* A URI a line; empty lines and comments are passed over. */
static int import_read(ImportList *l, const Secret *data, char **reterr_msg) {
        const char *p = secret_string(data), *end = p + data->len;

        for (unsigned number = 1; p < end; number++) {
                const char *eol = memchr(p, '\n', (size_t) (end - p));
                const char *next = eol ? eol + 1 : end;
                size_t len = (size_t) ((eol ? eol : end) - p);

                while (len > 0 && isspace((unsigned char) p[len - 1]))
                        len--;
                while (len > 0 && isspace((unsigned char) *p)) {
                        p++;
                        len--;
                }
                if (len > 0 && *p != '#') {
                        int r = import_line(l, p, len, reterr_msg);
                        if (r < 0)
                                return error_wrap(reterr_msg, r, "line %u", number);
                }
                p = next;
        }
        if (l->n == 0)
                return error_set(reterr_msg, -EINVAL, "There is no otpauth:// URI in it");
        return 0;
}

static bool import_name_taken(Manager *m, const StoreFactor *records, size_t n, const char *name) {
        for (size_t i = 0; i < n; i++)
                if (streq(records[i].name, name))
                        return true;
        return registry_factor(&m->registry, name) != NULL;
}

/* A name that says whose codes these are: "GitHub-alice", numbered when it is taken. */
static int import_make_name(
                Manager *m, const StoreFactor *records, size_t n, const OtpAccount *a, char **ret) {
        char base[NAME_MAX_LEN - 4], name[NAME_MAX_LEN + 1];
        size_t len;

        snprintf(base, sizeof(base), "%s%s%s", strempty(a->issuer),
                        a->issuer && a->account ? "-" : "", strempty(a->account));
        for (char *c = base; *c; c++)
                if (!isascii(*c) || !(isalnum(*c) || strchr("._-", *c)))
                        *c = '-';
        for (len = strlen(base); len > 0 && !isalnum((unsigned char) base[len - 1]); len--)
                base[len - 1] = '\0';
        const char *start = base + strspn(base, "._-");
        if (!name_valid(start))
                start = "imported";
        snprintf(name, sizeof(name), "%s", start);
        for (unsigned i = 2; import_name_taken(m, records, n, name); i++)
                snprintf(name, sizeof(name), "%s-%u", start, i);
        return text_set(ret, name);
}

static int import_record(Manager *m,
                const ImportParameters *p,
                uid_t owner,
                OtpAccount *a,
                StoreFactor *records,
                size_t n) {
        StoreFactor *f = &records[n];
        int r;

        f->type = a->kind == OTP_TOTP ? FACTOR_TOTP : FACTOR_HOTP;
        f->status = FACTOR_LOCAL;
        f->owner = owner;
        f->digits = a->digits;
        f->period = a->kind == OTP_TOTP ? a->period : 0;
        f->counter = (int64_t) a->counter;
        f->created = now_realtime();
        r = p->name ? text_set(&f->name, p->name) : import_make_name(m, records, n, a, &f->name);
        if (r >= 0)
                r = text_set(&f->algorithm, otp_algorithm_to_string(a->algorithm));
        if (r >= 0)
                r = text_set(&f->issuer, a->issuer);
        if (r >= 0)
                r = text_set(&f->label, a->account);
        if (r >= 0)
                secret_move(&f->secret, &a->secret);
        return r;
}

/* All of them, or none. */
static int import_store(Manager *m, Call *call, StoreFactor *records, size_t n, char **reterr_msg) {
        Actor actor = manager_actor(call);
        int r;

        r = store_begin(m->store, reterr_msg);
        for (size_t i = 0; i < n && r >= 0; i++) {
                AuditRecord a = {
                                .time = now_realtime(),
                                .event = "import",
                                .factor = records[i].name,
                                .door = actor.door,
                                .uid = actor.uid,
                };
                r = store_factor_add(m->store, &records[i], reterr_msg);
                if (r >= 0)
                        r = store_audit_append(m->store, &a, reterr_msg);
        }
        return store_end(m->store, r, reterr_msg);
}

/* Stores the records, puts them to work and answers. */
static void import_finish(Manager *m, Call *call, StoreFactor *records, size_t n) {
        _cleanup_free_ char *why = NULL;
        json_object *list = json_object_new_array();
        Factor *f;
        int r;

        r = import_store(m, call, records, n, &why);
        for (size_t i = 0; i < n && r >= 0; i++) {
                r = manager_add_factor(m, &records[i], &f, &why);
                if (r < 0)
                        break;
                manager_poll_factor(m, f);
                (void) store_sequence_next(m->store, &f->sequence, NULL);
                manager_tell_factor(m, f, "factor");
                json_object_array_add(list, view_factor(f));
        }
        if (r >= 0) {
                (void) call_reply(call, view_reply("factors", list));
                return;
        }
        json_object_put(list);
        if (r == -EEXIST)
                (void) call_invalid(call, "name", "%s", error_text(why, r));
        else
                (void) call_error(call, IPC_STORE_ERROR, NULL, "Nothing was imported: %s",
                                error_text(why, r));
}

static bool import_config_fits(const StoreFactor *f, const VerifyFactor *v) {
        return (v->code_length == 0 || v->code_length == f->digits) &&
               (v->time_step == 0 || v->time_step == f->period) &&
               (!v->alg || streq(v->alg, f->algorithm));
}

/* The Verify factor that the secret is said to be of. */
static bool import_linked(ProviderCall *p, const ApiReply *reply) {
        _cleanup_(verify_factor_done) VerifyFactor v = {0};
        _cleanup_free_ char *why = NULL;
        int r;

        if (reply->outcome != API_OK) {
                provider_failed(p->call, reply);
                return false;
        }
        r = verify_factor_read(&v, reply->body, reply->len, &why);
        if (r < 0)
                (void) call_error(p->call, IPC_API_ERROR, view_api_error(reply->http_status, 0),
                                "The provider's reply cannot be read: %s", error_text(why, r));
        else if (!streq(v.sid, p->record.sid) || !streq(v.service_sid, p->record.service_sid) ||
                        strcasecmp(v.identity, p->record.identity) != 0)
                (void) call_error(p->call, IPC_API_ERROR, view_api_error(reply->http_status, 0),
                                "The provider's reply is of another factor");
        else if (!streq_ptr(v.factor_type, "totp"))
                (void) call_invalid(p->call, "link", "%s is not a TOTP factor", p->record.sid);
        else if (!v.verified)
                (void) call_invalid(p->call, "link", "%s is not verified yet", p->record.sid);
        else if (!import_config_fits(&p->record, &v))
                (void) call_invalid(p->call, "link",
                                "%s has another algorithm, code length or time step than the "
                                "imported secret",
                                p->record.sid);
        else if ((r = text_set(&p->record.account_sid, v.account_sid)) >= 0)
                import_finish(p->manager, p->call, &p->record, 1);
        return false;
}

static void import_link(Manager *m, Call *call, const ImportParameters *p, StoreFactor *record) {
        _cleanup_(verify_request_done) VerifyRequest request = {0};
        _cleanup_(provider_call_freep) ProviderCall *wait = NULL;
        _cleanup_free_ char *why = NULL;
        int r;

        wait = provider_call_new(m, call);
        if (!wait)
                return;
        wait->who.account = manager_account(m, strempty(p->account));
        if (!wait->who.account || !p->service_sid || !p->identity || record->type != FACTOR_TOTP) {
                (void) call_invalid(call, "link",
                                "A link wants a TOTP secret, a service, an identity and an account "
                                "of the configuration");
                return;
        }
        record->status = FACTOR_VERIFIED;
        r = text_set(&record->sid, p->link);
        if (r >= 0)
                r = text_set(&record->service_sid, p->service_sid);
        if (r >= 0)
                r = text_set(&record->identity, p->identity);
        if (r >= 0)
                r = text_set(&record->account, p->account);
        if (r >= 0)
                r = text_set(&record->base_url, m->config->base_url);
        wait->record = *record;
        *record = (StoreFactor){0};
        wait->replied = import_linked;
        wait->entity = (VerifyEntity){wait->record.service_sid, wait->record.identity};
        if (r >= 0)
                r = verify_factor_fetch(&request, &wait->entity, wait->record.sid, &why);
        provider_send(TAKE_PTR(wait), &request, r, why);
}

/* What can be said about the parameters before anything is made of them. */
static bool import_check(Manager *m,
                Call *call,
                const ImportParameters *p,
                const ImportList *l,
                uid_t *ret_owner) {
        if ((p->name || p->link) && l->n != 1) {
                (void) call_invalid(call, "name",
                                "A name or a link is for one secret; there are %zu", l->n);
                return false;
        }
        if (p->name && !parameter_new_name(m, call, p->name))
                return false;
        return parameter_owner(call, p->owner, ret_owner);
}

void import_accounts(Manager *m, Call *call) {
        _cleanup_(import_parameters_done) ImportParameters p = {0};
        _cleanup_(import_list_done) ImportList list = {0};
        _cleanup_free_ char *why = NULL;
        StoreFactor *records = NULL;
        uid_t owner;
        size_t n;
        int r;

        if (!parameters_read(call, import_fields, ELEMENTSOF(import_fields), &p))
                return;
        r = import_read(&list, &p.data, &why);
        if (r < 0) {
                (void) call_invalid(call, "data", "%s", error_text(why, r));
                return;
        }
        if (!import_check(m, call, &p, &list, &owner))
                return;
        records = calloc(list.n, sizeof(StoreFactor));
        for (n = 0; records && n < list.n && r >= 0; n++)
                r = import_record(m, &p, owner, &list.items[n], records, n);
        if (!records || r < 0)
                (void) call_error(call, IPC_STORE_ERROR, NULL, "Out of memory");
        else if (p.link)
                import_link(m, call, &p, records);
        else
                import_finish(m, call, records, n);
        for (size_t i = 0; records && i < n; i++)
                store_factor_done(&records[i]);
        free(records);
}
