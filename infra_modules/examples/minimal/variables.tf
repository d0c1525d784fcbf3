variable "workspace_url" {
  description = "Address of the workspace, with https://."
  type        = string
  nullable    = false
}

variable "catalog" {
  description = "Catalog that exists; `databricks catalogs list` shows what there is."
  type        = string
  default     = "main"
  nullable    = false
}

variable "data_folder" {
  description = "Local folder with the wine files, to be uploaded. Null leaves the pipeline to Databricks' own sample of them."
  type        = string
  default     = null
}

variable "wheels_folder" {
  description = "Local folder with the pipeline's wheel, to be installed on the cluster. Null installs nothing."
  type        = string
  default     = null
}

variable "spark_version" {
  description = "Databricks runtime, such as 17.3.x-scala2.13. Null takes the newest with long-term support."
  type        = string
  default     = null
}

variable "single_user_name" {
  description = "Who works on the cluster. Null takes whoever runs Terraform."
  type        = string
  default     = null
}
