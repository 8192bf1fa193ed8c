/* SPDX-License-Identifier: Apache-2.0 */
/* The export of Google Authenticator: base64 of a Protocol Buffers message. The field numbers are
 * those of its schema: a payload repeats an account (1); what else it holds numbers the parts of an
 * export that spans several codes. */
#include "totp/otpauth.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/text.h"
#include "totp/otpauth-text.h"

#define SCHEME "otpauth-migration://offline"
#define PERIOD 30 /* the export has none: the application knows no other */
#define PAYLOAD_ACCOUNT 1

typedef struct Bytes {
        const uint8_t *data;
        size_t len;
} Bytes;

typedef enum WireType {
        WIRE_VARINT = 0,
        WIRE_FIXED64 = 1,
        WIRE_BYTES = 2,
        WIRE_FIXED32 = 5,
} WireType;

/* One field of a message: a number, or borrowed bytes. */
typedef struct Field {
        uint64_t number;
        WireType wire;
        uint64_t varint;
        Bytes bytes;
} Field;

static int take_bytes(Bytes *in, uint64_t len, Bytes *ret) {
        if (len > in->len)
                return -EBADMSG;
        *ret = (Bytes){in->data, (size_t) len};
        in->data += len;
        in->len -= (size_t) len;
        return 0;
}

static int take_varint(Bytes *in, uint64_t *ret) {
        uint64_t value = 0;

        for (unsigned shift = 0; shift < 64 && in->len > 0; shift += 7) {
                uint8_t byte = *in->data++;

                in->len--;
                if (shift == 63 && byte > 1)
                        return -EBADMSG;
                value |= (uint64_t) (byte & 0x7f) << shift;
                if (!(byte & 0x80)) {
                        *ret = value;
                        return 0;
                }
        }
        return -EBADMSG;
}

/* Takes one field off the message. Groups, which no schema uses any more, are refused. */
static int take_field(Bytes *in, Field *ret) {
        Field f = {0};
        uint64_t tag, len;
        int r;

        r = take_varint(in, &tag);
        if (r < 0)
                return r;
        f.number = tag >> 3;
        f.wire = (WireType) (tag & 7);
        if (f.number == 0 || tag > UINT32_MAX)
                return -EBADMSG;
        if (f.wire == WIRE_VARINT)
                r = take_varint(in, &f.varint);
        else if (f.wire == WIRE_FIXED64)
                r = take_bytes(in, 8, &f.bytes);
        else if (f.wire == WIRE_FIXED32)
                r = take_bytes(in, 4, &f.bytes);
        else if (f.wire == WIRE_BYTES) {
                r = take_varint(in, &len);
                if (r == 0)
                        r = take_bytes(in, len, &f.bytes);
        } else
                r = -EBADMSG;
        if (r < 0)
                return r;
        *ret = f;
        return 0;
}

typedef enum AccountField {
        ACCOUNT_SECRET = 1,
        ACCOUNT_NAME = 2,
        ACCOUNT_ISSUER = 3,
        ACCOUNT_ALGORITHM = 4,
        ACCOUNT_DIGITS = 5,
        ACCOUNT_KIND = 6,
        ACCOUNT_COUNTER = 7,
        _ACCOUNT_FIELD_MAX,
} AccountField;

static const WireType account_wires[_ACCOUNT_FIELD_MAX] = {
                [ACCOUNT_SECRET] = WIRE_BYTES,
                [ACCOUNT_NAME] = WIRE_BYTES,
                [ACCOUNT_ISSUER] = WIRE_BYTES,
                [ACCOUNT_ALGORITHM] = WIRE_VARINT,
                [ACCOUNT_DIGITS] = WIRE_VARINT,
                [ACCOUNT_KIND] = WIRE_VARINT,
                [ACCOUNT_COUNTER] = WIRE_VARINT,
};

/* An account's message by field number. An absent field is zero, which is what the format means by
 * absence. */
typedef struct AccountMessage {
        Field fields[_ACCOUNT_FIELD_MAX];
} AccountMessage;

static int account_message_read(AccountMessage *m, Bytes in) {
        while (in.len > 0) {
                Field f;
                int r;

                r = take_field(&in, &f);
                if (r < 0)
                        return r;
                if (f.number >= _ACCOUNT_FIELD_MAX)
                        continue;
                if (f.wire != account_wires[f.number] || m->fields[f.number].number != 0)
                        return -EBADMSG;
                m->fields[f.number] = f;
        }
        return 0;
}

/* Sets what the numbers say. Returns NULL, or what is wrong with them. */
static const char *set_numbers(OtpAccount *a, const AccountMessage *m) {
        static const OtpAlgorithm algorithms[] = {OTP_SHA1, OTP_SHA1, OTP_SHA256, OTP_SHA512};
        static const unsigned digit_counts[] = {6, 6, 8, 7}; /* first: unspecified */
        uint64_t algorithm = m->fields[ACCOUNT_ALGORITHM].varint;
        uint64_t digits = m->fields[ACCOUNT_DIGITS].varint;
        uint64_t kind = m->fields[ACCOUNT_KIND].varint;
        uint64_t counter = m->fields[ACCOUNT_COUNTER].varint;

        if (algorithm >= ELEMENTSOF(algorithms))
                return "has an algorithm other than SHA1, SHA256 and SHA512";
        if (digits >= ELEMENTSOF(digit_counts))
                return "has an unknown number of digits";
        if (kind != 1 && kind != 2)
                return "is neither HOTP nor TOTP";
        if (counter > INT64_MAX)
                return "has a negative counter";
        a->algorithm = algorithms[algorithm];
        a->digits = digit_counts[digits];
        a->kind = kind == 1 ? OTP_HOTP : OTP_TOTP;
        a->period = PERIOD;
        a->counter = a->kind == OTP_HOTP ? counter : 0;
        return NULL;
}

static int copy_text(Bytes bytes, char **ret) {
        char *text;

        if (bytes.len == 0)
                bytes.data = (const uint8_t *) ""; /* an absent field has none */
        for (size_t i = 0; i < bytes.len; i++)
                if (bytes.data[i] < 0x20 || bytes.data[i] == 0x7f)
                        return -EINVAL;
        text = strndup((const char *) bytes.data, bytes.len);
        if (!text)
                return -ENOMEM;
        if (!utf8_valid(text, bytes.len)) {
                free(text);
                return -EINVAL;
        }
        *ret = text;
        return 0;
}

/* The application writes the name as "Issuer:account", most of the time beside an issuer. A prefix
 * that differs from the issuer is part of the name. */
static int set_names(OtpAccount *a, const AccountMessage *m) {
        _cleanup_free_ char *name = NULL, *issuer = NULL;
        char *colon;
        int r;

        r = copy_text(m->fields[ACCOUNT_NAME].bytes, &name);
        if (r < 0)
                return r;
        r = copy_text(m->fields[ACCOUNT_ISSUER].bytes, &issuer);
        if (r < 0)
                return r;
        colon = strchr(name, ':');
        if (!colon)
                return otpauth_set_names(a, issuer, NULL, name);
        *colon = '\0';
        if (!*issuer || strcasecmp(name, issuer) == 0)
                return otpauth_set_names(a, issuer, name, colon + 1);
        *colon = ':';
        return otpauth_set_names(a, issuer, NULL, name);
}

/* Reads one account. number counts from 1, for messages. */
static int read_account(OtpAccount *ret, Bytes in, size_t number, char **reterr_msg) {
        _cleanup_(otp_account_done) OtpAccount a = {0};
        AccountMessage m = {0};
        const Bytes *secret = &m.fields[ACCOUNT_SECRET].bytes;
        const char *fault;
        int r;

        if (account_message_read(&m, in) < 0)
                return error_set(reterr_msg, -EINVAL, "account %zu of the export is damaged",
                                number);
        fault = set_numbers(&a, &m);
        if (!fault && secret->len == 0)
                fault = "has no secret";
        if (!fault && secret->len > OTP_SECRET_MAX)
                fault = "has a secret that is too long";
        if (fault)
                return error_set(
                                reterr_msg, -EINVAL, "account %zu of the export %s", number, fault);
        r = set_names(&a, &m);
        if (r == -EINVAL)
                return error_set(reterr_msg, r,
                                "account %zu of the export has a name that is no UTF-8 text",
                                number);
        if (r < 0)
                return r;
        r = secret_append(&a.secret, secret->data, secret->len);
        if (r < 0)
                return r;
        *ret = a;
        a = (OtpAccount){0};
        return 0;
}

typedef struct Accounts {
        OtpAccount *items;
        size_t n;
} Accounts;

static void accounts_done(Accounts *accounts) {
        for (size_t i = 0; i < accounts->n; i++)
                otp_account_done(&accounts->items[i]);
        free(accounts->items);
}

static int accounts_add(Accounts *accounts, Bytes in, char **reterr_msg) {
        OtpAccount *items;
        int r;

        items = reallocarray(accounts->items, accounts->n + 1, sizeof(*items));
        if (!items)
                return -ENOMEM;
        accounts->items = items;
        r = read_account(&items[accounts->n], in, accounts->n + 1, reterr_msg);
        if (r < 0)
                return r;
        accounts->n++;
        return 0;
}

static int read_payload(Accounts *accounts, Bytes in, char **reterr_msg) {
        while (in.len > 0) {
                Field f;
                int r;

                if (take_field(&in, &f) < 0 ||
                                (f.number == PAYLOAD_ACCOUNT && f.wire != WIRE_BYTES))
                        return error_set(reterr_msg, -EINVAL, "the export is damaged");
                if (f.number != PAYLOAD_ACCOUNT)
                        continue;
                r = accounts_add(accounts, f.bytes, reterr_msg);
                if (r < 0)
                        return r;
        }
        if (accounts->n == 0)
                return error_set(reterr_msg, -EINVAL, "the export holds no account");
        return 0;
}

/* Finds the parameter "data" and decodes it to the payload's bytes. */
static int decode_data(const char *query, size_t len, Secret *ret, char **reterr_msg) {
        _cleanup_(secret_done) Secret text = {0};
        const char *end = query + len, *value = NULL;
        size_t value_len = 0;
        int r;

        while (query < end) {
                const char *ampersand = memchr(query, '&', (size_t) (end - query));
                const char *stop = ampersand ? ampersand : end;

                if (otpauth_has_prefix(query, (size_t) (stop - query), "data=")) {
                        if (value)
                                return error_set(reterr_msg, -EINVAL,
                                                "the URI has the parameter 'data' twice");
                        value = query + STRLEN("data=");
                        value_len = (size_t) (stop - value);
                }
                query = ampersand ? ampersand + 1 : end;
        }
        if (!value)
                return error_set(reterr_msg, -EINVAL, "the URI has no parameter 'data'");
        /* The application escapes '+', but not all that read its codes pass the escapes on. */
        r = otpauth_percent_decode(value, value_len, false, &text);
        if (r == 0)
                r = base64_decode(BASE64_STANDARD, secret_string(&text), text.len, ret);
        if (r == -EINVAL || r == -EBADMSG)
                return error_set(reterr_msg, -EINVAL, "the URI's parameter 'data' is not base64");
        return r;
}

/* True for the text before the '?', with or without a slash at its end. */
static bool scheme_is_right(const char *text, size_t len) {
        return otpauth_has_prefix(text, len, SCHEME) &&
               (len == STRLEN(SCHEME) || (len == STRLEN(SCHEME) + 1 && text[len - 1] == '/'));
}

int otpauth_migration_parse(
                OtpAccount **ret, size_t *ret_n, const char *uri, size_t len, char **reterr_msg) {
        _cleanup_(accounts_done) Accounts accounts = {0};
        _cleanup_(secret_done) Secret payload = {0};
        const char *query;
        int r;

        if (len > OTPAUTH_MIGRATION_URI_MAX)
                return error_set(reterr_msg, -EINVAL, "the URI is longer than %d characters",
                                OTPAUTH_MIGRATION_URI_MAX);
        query = memchr(uri, '?', len);
        if (!query || !scheme_is_right(uri, (size_t) (query - uri)))
                return error_set(reterr_msg, -EINVAL, "the URI does not start with " SCHEME "?");
        query++;
        r = decode_data(query, (size_t) (uri + len - query), &payload, reterr_msg);
        if (r < 0)
                return r;
        r = read_payload(&accounts, (Bytes){payload.data, payload.len}, reterr_msg);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(accounts.items);
        *ret_n = accounts.n;
        accounts.n = 0;
        return 0;
}
