locals {
  node_vcpus = var.node_vcpus != null ? var.node_vcpus : lookup(local.node_types, var.node_type, null)
  known      = local.node_vcpus != null
  nodes      = 1 + var.workers
  vcpus      = local.known ? local.node_vcpus * local.nodes : null

  # What is no cluster never fits, so that a caller without validations of its own lets nothing through.
  sensible = var.workers >= 0 && (local.known ? local.node_vcpus >= 1 : false)
  fits     = local.sensible ? local.vcpus <= var.vcpu_quota : false

  # Sizes of the asked family come first, so that the memory for each core stays as it was asked for.
  own_families = [for family in values(local.families) : family if contains(keys(family), var.node_type)]
  family       = length(local.own_families) > 0 ? local.own_families[0] : local.families["DSv2"]

  largest_for_each_node = try([
    for name, vcpus in local.family : name if vcpus == max([
      for other in values(local.family) : other if other <= floor(var.vcpu_quota / local.nodes)
    ]...)
  ][0], null)
  largest_single_node = try([
    for name, vcpus in local.family : name if vcpus == max([
      for other in values(local.family) : other if other <= var.vcpu_quota
    ]...)
  ][0], null)
  most_workers = local.sensible ? floor(var.vcpu_quota / local.node_vcpus) - 1 : -1

  # From the smallest change of what was asked for to the largest.
  alternatives = compact([
    local.most_workers >= 1 && local.most_workers < var.workers ? "${local.most_workers} ${local.most_workers == 1 ? "worker" : "workers"} of ${var.node_type}" : "",
    local.largest_for_each_node != null && var.workers > 0 ? "${local.nodes} nodes of ${coalesce(local.largest_for_each_node, "none")}" : "",
    local.largest_single_node != null ? "a single node of ${coalesce(local.largest_single_node, "none")}" : "",
  ])

  need = "${local.nodes == 1 ? "1 node" : "${local.nodes} nodes"} of ${var.node_type} ${local.nodes == 1 ? "needs" : "need"}"
  sentences = {
    unknown = "The vCPUs of ${var.node_type} are not known here: give node_vcpus, or take a size of the D, E and F families such as Standard_DS3_v2."
    fits    = "${local.need} ${coalesce(local.vcpus, 0)} of ${var.vcpu_quota} vCPUs."
    refused = join(" ", [
      "${local.need} ${coalesce(local.vcpus, 0)} vCPUs and the quota is ${var.vcpu_quota}.",
      length(local.alternatives) > 0 ? "What fits: ${join(", or ", local.alternatives)}." : "No known size fits: the smallest needs 4.",
      "Or ask Azure for more vCPUs in the region and set vcpu_quota.",
    ])
  }
  sentence = local.sentences[!local.known ? "unknown" : local.fits ? "fits" : "refused"]
}
