output "vcpus" {
  description = "vCPUs that the whole cluster needs, driver included; null when the node type's are not known."
  value       = local.vcpus
}

output "known" {
  description = "Whether the vCPUs of the node type are known, from the table or by node_vcpus."
  value       = local.known
}

output "fits" {
  description = "Whether the quota can start the cluster; false when the node type's vCPUs are not known."
  value       = local.fits
}

output "largest_fitting_node_type" {
  description = "The largest size of the same family (DSv2 if the node type is not known) of which the quota can start all nodes; null when there is none."
  value       = local.largest_for_each_node
}

output "sentence" {
  description = "What the cluster needs and, when it does not fit, what would: for error messages."
  value       = local.sentence
}

output "most_workers" {
  description = "Most workers of the node type that the quota can start besides the driver; -1 when not even the driver starts."
  value       = local.most_workers
}
