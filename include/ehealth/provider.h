/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Self-registration: one new file = one new provider. End the file with
 *     EH_PROVIDER(idp, prosanteconnect, "0", &vtable);
 * which puts a pointer into linker section eh_providers; eh_provider_lookup walks it, and the modules hand the entries
 * to httpd's ap_register_provider as group "ehealth-<group>". A plain static archive drops such objects: link them
 * directly. make check holds the registered count against the EH_PROVIDER lines.
 */
#ifndef EHEALTH_PROVIDER_H
#define EHEALTH_PROVIDER_H

typedef struct eh_provider_t {
    const char *group, *name, *version;
    const void *vtable;
} eh_provider_t;

#define EH_PROVIDER(grp, nm, ver, vt)                                                                \
    static const eh_provider_t eh_prov_##grp##_##nm = {"ehealth-" #grp, #nm, ver, vt};               \
    static const eh_provider_t *const eh_provp_##grp##_##nm __attribute__((section("eh_providers"), used)) = \
        &eh_prov_##grp##_##nm

/* Weak: a program without any provider links too. */
extern const eh_provider_t *const __start_eh_providers[] __attribute__((visibility("hidden"), weak));
extern const eh_provider_t *const __stop_eh_providers[] __attribute__((visibility("hidden"), weak));

#define EH_PROVIDERS_EACH(pp) \
    for (const eh_provider_t *const *pp = __start_eh_providers; pp < __stop_eh_providers; ++pp)

#endif
