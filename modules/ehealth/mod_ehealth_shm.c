/* SPDX-License-Identifier: Apache-2.0 */
/* Shared memory, laid out before the children start. Two anonymous mappings, inherited by fork:
 * - the server's: counters, rate limits and the start time. It outlives a graceful restart, so that counters do not
 *   jump back and a restart does not reset a limit, unless the set of metrics or the size changed.
 * - the generation's: leases of background jobs and the blocks of other modules. New with each configuration: children of
 *   the last one, still draining, keep theirs and cannot corrupt a new layout. */
#include "mod_ehealth.h"

#include <sys/mman.h>
#include <apr_strings.h>

#include "ehealth/codec.h"
#include "ehealth/crypto.h"

#define EH_SERVER_KEY "mod_ehealth server shm"
#define EH_NODE_ID 8                        /* random bytes: host names and pids repeat among containers */
#define EH_ALIGN_LINE(n) APR_ALIGN((n), 64) /* cache lines: blocks must not share one */

typedef struct mapping_t {
    void *mem;
    apr_size_t size;
} mapping_t;

typedef struct server_shm_t {
    mapping_t map;
    unsigned char layout[EH_SHA256_LEN]; /* of the metrics' names and labels, and the sizes */
} server_shm_t;

typedef struct server_head_t {
    apr_time_t started;
    unsigned char seed[16]; /* of the rate table */
    char node[EH_NODE_ID * 2 + 1];
} server_head_t;

static apr_status_t unmap(void *data)
{
    mapping_t *map = data;

    if (map->mem) munmap(map->mem, map->size);
    map->mem = NULL;
    return APR_SUCCESS;
}

static apr_status_t map_shared(mapping_t *map, apr_size_t size)
{
    map->size = size;
    map->mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (map->mem == MAP_FAILED) {
        map->mem = NULL;
        return errno;
    }
    return APR_SUCCESS;
}

static apr_status_t layout_digest(unsigned char out[EH_SHA256_LEN], int buckets, apr_pool_t *ptemp)
{
    const eh_registry_t *reg = &eh_process.reg;
    apr_array_header_t *text = apr_array_make(ptemp, reg->nmetrics * 3 + 1, sizeof(const char *));
    const char *all;
    int i;

    APR_ARRAY_PUSH(text, const char *) = apr_psprintf(ptemp, EH_VERSION " %d", buckets);
    for (i = 0; i < reg->nmetrics; i++) {
        APR_ARRAY_PUSH(text, const char *) =
            apr_psprintf(ptemp, "%s{%s}%d", reg->metrics[i]->name, reg->metrics[i]->labels, (int)reg->metrics[i]->type);
    }
    all = apr_array_pstrcat(ptemp, text, '\n');
    return eh_sha256(out, all, strlen(all));
}

static apr_status_t server_memory(apr_pool_t *pconf, server_rec *main)
{
    const eh_registry_t *reg = &eh_process.reg;
    apr_pool_t *pprocess = main->process->pool;
    int buckets = eh_sconf(main)->shared_buckets;
    apr_size_t head = EH_ALIGN_LINE(sizeof(server_head_t)), metrics = EH_ALIGN_LINE(eh_metrics_size(reg->nmetrics));
    unsigned char layout[EH_SHA256_LEN];
    unsigned char id[EH_NODE_ID];
    server_head_t *hd;
    server_shm_t *shm;
    void *kept = NULL;
    apr_status_t rv;

    if (!EH_OK(layout_digest(layout, buckets, pconf))) return rv;
    apr_pool_userdata_get(&kept, EH_SERVER_KEY, pprocess);
    shm = kept;
    if (!shm) {
        shm = apr_pcalloc(pprocess, sizeof(*shm));
        apr_pool_userdata_setn(shm, EH_SERVER_KEY, NULL, pprocess);
    }
    if (!shm->map.mem || memcmp(shm->layout, layout, sizeof(layout))) {
        unmap(&shm->map); /* old children keep their own mapping of it */
        if (!EH_OK(map_shared(&shm->map, head + metrics + eh_rate_size(buckets)))) return rv;
        hd = shm->map.mem;
        hd->started = apr_time_now();
        if (!EH_OK(eh_random(hd->seed, sizeof(hd->seed))) || !EH_OK(eh_random(id, sizeof(id)))) return rv;
        apr_cpystrn(hd->node, eh_hex(pconf, id, sizeof(id)), sizeof(hd->node));
        memcpy(shm->layout, layout, sizeof(layout));
    }
    hd = shm->map.mem;
    eh_process.started = &hd->started;
    eh_process.node = hd->node;
    eh_process.metrics = eh_metrics_make(reg->metrics, reg->nmetrics, (char *)shm->map.mem + head, pconf);
    eh_process.rate = eh_rate_make((char *)shm->map.mem + head + metrics, buckets, hd->seed, pconf);
    return APR_SUCCESS;
}

static apr_status_t generation_memory(apr_pool_t *pconf)
{
    const eh_registry_t *reg = &eh_process.reg;
    apr_size_t size = EH_ALIGN_LINE(reg->njobs * sizeof(eh_job_state_t)), at = size;
    mapping_t *map = apr_pcalloc(pconf, sizeof(*map));
    apr_status_t rv;
    int i;

    for (i = 0; i < reg->nshared; i++) {
        size += EH_ALIGN_LINE(reg->shared[i].size);
    }
    if (!EH_OK(map_shared(map, size ? size : 64))) return rv;
    apr_pool_cleanup_register(pconf, map, unmap, apr_pool_cleanup_null);
    eh_process.jobs = map->mem;
    for (i = 0; i < reg->nshared; i++) {
        *reg->shared[i].mem = (char *)map->mem + at;
        at += EH_ALIGN_LINE(reg->shared[i].size);
    }
    return APR_SUCCESS;
}

apr_status_t eh_shm_layout(apr_pool_t *pconf, server_rec *main)
{
    apr_status_t rv;

    if (!EH_OK(server_memory(pconf, main)) || !EH_OK(generation_memory(pconf))) {
        ap_log_error(
            APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, rv, main,
            "mod_ehealth: shared memory cannot be had; lower EHealthSharedSize or give the server more memory");
    }
    return rv;
}
