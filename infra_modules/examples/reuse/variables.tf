variable "databricks_host" {
  description = "Address of the team's workspace, with https://."
  type        = string
  nullable    = false
}

variable "environment" {
  description = "Which of the team's environments this is."
  type        = string
  default     = "dev"
  nullable    = false
}
