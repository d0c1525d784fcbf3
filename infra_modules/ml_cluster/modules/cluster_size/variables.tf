variable "node_type" {
  description = "Azure VM size of every node, for example Standard_DS3_v2. A size that is not in node_types.tf needs node_vcpus."
  type        = string
  nullable    = false
}

variable "workers" {
  description = "Number of workers besides the driver; with autoscaling, the highest. 0 is a single node."
  type        = number
  default     = 0
  nullable    = false
}

variable "vcpu_quota" {
  description = "vCPUs that the subscription may run at once in the workspace's region. 4 is the free trial's."
  type        = number
  default     = 4
  nullable    = false
}

variable "node_vcpus" {
  description = "vCPUs of one node, for a size that is not in node_types.tf. Null means to look the size up; a given number goes before the table."
  type        = number
  default     = null
}
