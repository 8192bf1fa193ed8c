/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define V4_PREFIX 96 /* of a v4-mapped address, the bits before the IPv4 address */

static const uint8_t v4_mapped[V4_PREFIX / 8] = {[10] = 0xff, [11] = 0xff};

int address_parse(Address *ret, const char *text) {
        Address a = {0};

        if (inet_pton(AF_INET, text, a.bytes + sizeof(v4_mapped)) == 1)
                memcpy(a.bytes, v4_mapped, sizeof(v4_mapped));
        else if (inet_pton(AF_INET6, text, a.bytes) != 1)
                return -EINVAL;
        a.v4 = memcmp(a.bytes, v4_mapped, sizeof(v4_mapped)) == 0;

        *ret = a;
        return 0;
}

/* Whether both agree in so many leading bits. */
static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned n) {
        unsigned whole = n / 8, rest = n % 8;

        if (memcmp(a, b, whole) != 0)
                return false;
        return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

/* Whether the bits past the prefix are all zero, as those of a range's first address are. */
static bool host_bits_clear(const Address *a, unsigned prefix) {
        for (unsigned i = prefix; i < 128; i++)
                if (a->bytes[i / 8] >> (7 - i % 8) & 1)
                        return false;
        return true;
}

/* What stands before the slash of a text that people read as an address: only such characters, and
 * three dots or two colons. */
static bool looks_like_address(const char *text) {
        size_t dots = 0, colons = 0;

        if (text[strspn(text, "0123456789abcdefABCDEFxX.:")] != '\0')
                return false;
        for (; *text; text++) {
                dots += *text == '.';
                colons += *text == ':';
        }
        return dots == 3 || colons >= 2;
}

/* One to three digits. */
static int read_prefix(const char *text, unsigned *ret) {
        size_t len = strspn(text, "0123456789");
        unsigned n = 0;

        if (len == 0 || len > 3 || text[len] != '\0')
                return -EINVAL;
        for (; *text; text++)
                n = 10 * n + (unsigned) (*text - '0');
        *ret = n;
        return 0;
}

int address_range_parse(AddressRange *ret, const char *text, char **reterr_msg) {
        static const char how[] =
                        "write it as in 10.0.0.0/8 or 2001:db8::/32, or \\/ for a slash "
                        "that is no range's";
        const char *slash = strchr(text, '/');
        AddressRange range;

        if (!slash)
                return -ENOENT;
        _cleanup_free_ char *address = strndup(text, (size_t) (slash - text));
        if (!address)
                return -ENOMEM;
        if (address_parse(&range.first, address) < 0)
                return looks_like_address(address) ? error_set(reterr_msg, -EINVAL,
                                                                     "this range has no address "
                                                                     "that can be; %s",
                                                                     how)
                                                   : -ENOENT;

        bool short_v4 = range.first.v4 && !strchr(address, ':');
        if (read_prefix(slash + 1, &range.prefix) < 0 || range.prefix > (short_v4 ? 32 : 128))
                return error_set(reterr_msg, -EINVAL,
                                "a range's prefix is a number from 0 to %d; %s",
                                short_v4 ? 32 : 128, how);
        if (short_v4)
                range.prefix += V4_PREFIX;
        /* A v4-mapped range that is wider than all of IPv4 ends here, too. */
        if (!host_bits_clear(&range.first, range.prefix))
                return error_set(reterr_msg, -EINVAL,
                                "the address has bits beyond its prefix; write the range's first "
                                "address");

        *ret = range;
        return 0;
}

bool address_range_contains(const AddressRange *range, const Address *a) {
        return range->first.v4 == a->v4 && same_bits(range->first.bytes, a->bytes, range->prefix);
}
