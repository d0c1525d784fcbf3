# What the stack infra gives: its outputs have these names.

variable "workspace_url" {
  description = "Address of the workspace, with https://."
  type        = string
  nullable    = false
}

variable "workspace_resource_id" {
  description = "Azure resource id of the workspace."
  type        = string
  nullable    = false
}

variable "storage_url" {
  description = "Container for tables, models and files, as abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/. Null keeps them in the catalog's own storage."
  type        = string
  default     = null
}

variable "access_connector_id" {
  description = "Resource id of the access connector that may read and write the container. Null beside a null storage_url."
  type        = string
  default     = null
}

variable "sku" {
  description = "SKU of the workspace; only premium serves models."
  type        = string
  default     = "premium"
  nullable    = false
}

variable "auth_type" {
  description = "How the provider signs in, for example azure-cli or pat. Null takes what the environment has: a service principal's ARM_ variables, or az login."
  type        = string
  default     = null
}

# The names that the pipeline uses on target databricks: these are the problem file's, and a test holds them equal.

variable "catalog" {
  description = "Catalog of the pipeline's tables, models and files."
  type        = string
  default     = "main"
  nullable    = false
}

variable "create_catalog" {
  description = "Whether the catalog is made here instead of used: a new account's metastore has none that is called main."
  type        = bool
  default     = false
  nullable    = false
}

variable "schema" {
  description = "Schema of the pipeline's tables, models and files."
  type        = string
  default     = "wine_quality"
  nullable    = false
}

variable "volume" {
  description = "Volume of the pipeline's files."
  type        = string
  default     = "files"
  nullable    = false
}

variable "experiment" {
  description = "MLflow experiment of the pipeline's runs, by its path in the workspace."
  type        = string
  default     = "/Shared/gauntlet/wine_quality"
  nullable    = false
}

variable "model" {
  description = "Registered model, by the last of its three names."
  type        = string
  default     = "wine_classifier"
  nullable    = false
}

variable "endpoint" {
  description = "Endpoint that serves the champion."
  type        = string
  default     = "wine-classifier"
  nullable    = false
}

variable "secret_scope" {
  description = "Secret scope of the pipeline."
  type        = string
  default     = "gauntlet"
  nullable    = false
}

# What runs, and on what.

variable "data_folder" {
  description = "Folder on this machine with the problem's data files, which are copied to the volume. Null copies none: the pipeline then looks elsewhere, for wine in Databricks' sample data."
  type        = string
  default     = null
}

variable "wheels_folder" {
  description = "Folder on this machine with the pipeline's wheel, which is copied to the volume. Null copies none: a release puts it there before the job runs."
  type        = string
  default     = null
}

variable "wheel_version" {
  description = "Version of the pipeline's wheel."
  type        = string
  default     = "0.1.0"
  nullable    = false
}

variable "pypi_packages" {
  description = "What the wheel needs, each pinned to the version that it is tested with (ci/constraints.txt)."
  type        = list(string)
  default = [
    "click==8.5.1",
    "cryptography==50.0.2",
    "filelock==4.2.12",
    "great-expectations==1.24.1",
    "hyperopt==0.3.0",
    "jinja2==3.1.6",
    "matplotlib==3.11.2",
    "mlflow==3.17.2",
    "numpy==2.4.6",
    "pandas==2.3.3",
    "platformdirs==4.14.7",
    "pyarrow==25.0.1",
    "pydantic==2.14.3",
    "requests==2.34.2",
    "rich==15.0.0",
    "scikit-learn==1.9.1",
    "scipy==1.17.1",
    "seaborn==0.13.2",
    "skops==0.16.0",
    "xgboost-cpu==3.2.0",
  ]
  nullable = false
}

variable "problem_file" {
  description = "Problem file in the workspace or in a volume. Null runs the wine problem that the wheel holds."
  type        = string
  default     = null
}

variable "spark_version" {
  description = "Databricks runtime of the clusters, in its plain form."
  type        = string
  default     = "17.3.x-scala2.13"
  nullable    = false
}

variable "node_type" {
  description = "Azure VM size of the clusters' nodes."
  type        = string
  default     = "Standard_DS3_v2"
  nullable    = false
}

variable "num_workers" {
  description = "Workers of a cluster besides its driver; 0 is a single node."
  type        = number
  default     = 0
  nullable    = false
}

variable "vcpu_quota" {
  description = "vCPUs that the subscription may run at once in the region; 4 is the free trial's."
  type        = number
  default     = 4
  nullable    = false
}

variable "autotermination_minutes" {
  description = "Minutes without work after which the cluster of the notebooks stops."
  type        = number
  default     = 20
  nullable    = false
}

variable "single_user_name" {
  description = "For whom the cluster of the notebooks works. Null takes whoever runs Terraform, for which the workspace is asked."
  type        = string
  default     = null
}

variable "job_compute" {
  description = "Compute of the job: existing_cluster is the cluster of the notebooks, so that both fit a small quota; job_cluster is one of its own for each run; serverless is Databricks' own."
  type        = string
  default     = "existing_cluster"
  nullable    = false
}

variable "schedule" {
  description = "When the job runs by itself. Null runs it only when it is asked to."
  type = object({
    quartz_cron_expression = string
    timezone_id            = optional(string, "UTC")
    paused                 = optional(bool, true)
  })
  default = null
}

variable "notified_of_failures" {
  description = "Mail addresses that are told when the job or an update of the endpoint fails."
  type        = list(string)
  default     = []
  nullable    = false
}

# What is served.

variable "champion_version" {
  description = "Version of the model that serves as champion. Null makes no endpoint, until there is a champion."
  type        = string
  default     = null
}

variable "challenger_version" {
  description = "Version of the model that serves beside the champion. Null serves the champion alone."
  type        = string
  default     = null
}

variable "challenger_percentage" {
  description = "Percentage of the requests that the challenger gets while there is one."
  type        = number
  default     = 10
  nullable    = false
}

variable "tags" {
  description = "Tags of all that can have tags."
  type        = map(string)
  default     = { project = "gauntlet" }
  nullable    = false
}
