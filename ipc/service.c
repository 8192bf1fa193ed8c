/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/service.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "base/text.h"
#include "ipc/server.h"

#define SERVICE_INTERFACE "org.varlink.service"

/* Takes value, also on failure. */
static int add(json_object *o, const char *key, json_object *value) {
        if (o && value && json_object_object_add(o, key, value) >= 0)
                return 0;
        json_object_put(value);
        return -ENOMEM;
}

static int finish(ServiceReply *ret, const char *error, json_object *parameters, int r) {
        if (r < 0 || !parameters) {
                json_object_put(parameters);
                return -ENOMEM;
        }
        *ret = (ServiceReply){error, parameters};
        return 0;
}

int service_error(ServiceReply *ret, const char *error, const char *key, const char *value) {
        json_object *parameters = json_object_new_object();
        int r = key ? add(parameters, key, json_object_new_string(value)) : 0;

        return finish(ret, error, parameters, r);
}

static int get_info(ServiceReply *ret, const char *version) {
        json_object *parameters = json_object_new_object(), *interfaces = json_object_new_array();
        static const char *const names[] = {SERVICE_INTERFACE, IPC_INTERFACE};
        int r;

        for (size_t i = 0; interfaces && i < ELEMENTSOF(names); i++)
                (void) json_object_array_add(interfaces, json_object_new_string(names[i]));
        r = add(parameters, "vendor", json_object_new_string("factord"));
        if (r >= 0)
                r = add(parameters, "product", json_object_new_string("factord"));
        if (r >= 0)
                r = add(parameters, "version", json_object_new_string(version));
        if (r >= 0)
                r = add(parameters, "url", json_object_new_string(""));
        if (r >= 0)
                r = add(parameters, "interfaces", json_object_get(interfaces));
        json_object_put(interfaces);
        return finish(ret, NULL, parameters, r);
}

static int get_description(ServiceReply *ret, const VarlinkMessage *m) {
        json_object *name = json_doc_value(m->parameters, "interface"), *parameters;
        const char *text;
        int r;

        if (!json_object_is_type(name, json_type_string))
                return service_error(ret, SERVICE_INTERFACE ".InvalidParameter", "parameter",
                                "interface");
        if (streq(json_object_get_string(name), SERVICE_INTERFACE))
                text = ipc_service_description;
        else if (streq(json_object_get_string(name), IPC_INTERFACE))
                text = ipc_interface_description;
        else
                return service_error(ret, SERVICE_INTERFACE ".InterfaceNotFound", "interface",
                                json_object_get_string(name));

        parameters = json_object_new_object();
        r = add(parameters, "description", json_object_new_string(text));
        return finish(ret, NULL, parameters, r);
}

int service_route(ServiceReply *ret,
                const char **ret_method,
                const VarlinkMessage *m,
                const char *version) {
        _cleanup_free_ char *interface = NULL;
        const char *dot = strrchr(m->method, '.');

        *ret_method = NULL;
        if (m->upgrade)
                return service_error(
                                ret, SERVICE_INTERFACE ".InvalidParameter", "parameter", "upgrade");
        if (!dot)
                return service_error(
                                ret, SERVICE_INTERFACE ".InvalidParameter", "parameter", "method");

        interface = strndup(m->method, (size_t) (dot - m->method));
        if (!interface)
                return -ENOMEM;
        if (streq(interface, IPC_INTERFACE)) {
                *ret_method = dot + 1;
                return 0;
        }
        if (!streq(interface, SERVICE_INTERFACE))
                return service_error(ret, SERVICE_INTERFACE ".InterfaceNotFound", "interface",
                                interface);
        if (streq(dot + 1, "GetInfo"))
                return get_info(ret, version);
        if (streq(dot + 1, "GetInterfaceDescription"))
                return get_description(ret, m);
        return service_error(ret, SERVICE_INTERFACE ".MethodNotFound", "method", m->method);
}
