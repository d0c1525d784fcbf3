# ---- workspace: notebooks and modules ----

variable "workspace_folder" {
  description = "Folder of the workspace that takes notebooks and modules, for example /Shared/gauntlet."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^(/[^/]*[^/\\s])+$", var.workspace_folder)) && !can(regex("^/(Workspace|Volumes|dbfs)(/|$)", var.workspace_folder))
    error_message = "workspace_folder must be an absolute path without a slash at its end and without /Workspace before it, such as /Shared/gauntlet; it is \"${var.workspace_folder}\"."
  }
}

variable "create_workspace_folder" {
  description = "Whether the folder is made here; false when it is somebody else's. A destroy leaves it when others have put something into it."
  type        = bool
  default     = true
  nullable    = false
}

variable "folder_permissions" {
  description = "Who may use the folder and all in it: names to CAN_READ, CAN_RUN, CAN_EDIT or CAN_MANAGE. It replaces the permissions that the folder has; empty leaves them."
  type = object({
    users              = optional(map(string), {})
    groups             = optional(map(string), {})
    service_principals = optional(map(string), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for level in flatten([for levels in values(var.folder_permissions) : values(levels)]) : contains(["CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"], level)])
    error_message = "folder_permissions must be CAN_READ, CAN_RUN, CAN_EDIT or CAN_MANAGE; they are: ${join(", ", flatten([for levels in values(var.folder_permissions) : values(levels)]))}."
  }
}

variable "notebooks_folder" {
  description = "Local folder whose notebooks are copied to WORKSPACE_FOLDER/notebooks; a path from where Terraform runs, best begun with path.root. Null copies none."
  type        = string
  default     = null

  validation {
    condition     = var.notebooks_folder == null ? true : length(fileset(var.notebooks_folder, var.notebooks_pattern)) > 0
    error_message = "notebooks_folder \"${coalesce(var.notebooks_folder, "null")}\" holds no file that matches ${var.notebooks_pattern}: check the path, or leave it null to copy no notebooks."
  }

  validation {
    condition     = var.notebooks_folder == null ? true : alltrue([for name in fileset(var.notebooks_folder, var.notebooks_pattern) : can(regex("\\.(py|ipynb|sql|scala|r)$", lower(name)))])
    error_message = "A notebook's name must end in .py, .ipynb, .sql, .scala or .r, which says its language. Change notebooks_pattern (now ${var.notebooks_pattern}) or put the rest under modules_folder."
  }

  validation {
    condition = var.notebooks_folder == null ? true : (
      length(distinct([for name in fileset(var.notebooks_folder, var.notebooks_pattern) : replace(name, "/\\.[^./]+$/", "")]))
      == length(fileset(var.notebooks_folder, var.notebooks_pattern))
    )
    error_message = "Two notebooks have the same name but for its ending, which the workspace does not keep: one would replace the other. Rename one of them in \"${coalesce(var.notebooks_folder, "null")}\"."
  }
}

variable "notebooks_pattern" {
  description = "Which files of notebooks_folder are notebooks, as Terraform's fileset reads it."
  type        = string
  default     = "**/*.{py,ipynb,sql,scala,r}"
  nullable    = false
}

variable "modules_folder" {
  description = "Local folder whose Python modules are copied to WORKSPACE_FOLDER/modules, for notebooks to import and for spark_python_task. Null copies none."
  type        = string
  default     = null

  validation {
    condition     = var.modules_folder == null ? true : length(fileset(var.modules_folder, var.modules_pattern)) > 0
    error_message = "modules_folder \"${coalesce(var.modules_folder, "null")}\" holds no file that matches ${var.modules_pattern}: check the path, or leave it null to copy no modules."
  }
}

variable "modules_pattern" {
  description = "Which files of modules_folder are copied, as Terraform's fileset reads it."
  type        = string
  default     = "**/*.py"
  nullable    = false
}

# ---- volume: data, suites and wheels ----

variable "volume_path" {
  description = "Volume that takes files, /Volumes/CATALOG/SCHEMA/VOLUME (unity_catalog's volume_path). Null when no folder of files is given."
  type        = string
  default     = null

  validation {
    condition     = var.volume_path == null || can(regex("^/Volumes/[^/\\s]+/[^/\\s]+/[^/\\s]+$", var.volume_path))
    error_message = "volume_path must have the form /Volumes/CATALOG/SCHEMA/VOLUME; it is \"${coalesce(var.volume_path, "null")}\"."
  }

  validation {
    condition     = var.volume_path != null || (var.data_folder == null && var.suites_folder == null && var.wheels_folder == null)
    error_message = "Files need a volume: give volume_path beside data_folder, suites_folder or wheels_folder."
  }
}

variable "data_folder" {
  description = "Local folder whose data files are uploaded to VOLUME_PATH/data. Small files only: Terraform reads them at every plan. Null uploads none."
  type        = string
  default     = null

  validation {
    condition     = var.data_folder == null ? true : length(fileset(var.data_folder, var.data_pattern)) > 0
    error_message = "data_folder \"${coalesce(var.data_folder, "null")}\" holds no file that matches ${var.data_pattern}: check the path, or leave it null to upload no data."
  }
}

variable "data_pattern" {
  description = "Which files of data_folder are uploaded, as Terraform's fileset reads it."
  type        = string
  default     = "**/*.csv"
  nullable    = false
}

variable "suites_folder" {
  description = "Local folder whose expectation suites are uploaded to VOLUME_PATH/suites. Null uploads none."
  type        = string
  default     = null

  validation {
    condition     = var.suites_folder == null ? true : length(fileset(var.suites_folder, var.suites_pattern)) > 0
    error_message = "suites_folder \"${coalesce(var.suites_folder, "null")}\" holds no file that matches ${var.suites_pattern}: check the path, or leave it null to upload no suites."
  }
}

variable "suites_pattern" {
  description = "Which files of suites_folder are uploaded, as Terraform's fileset reads it."
  type        = string
  default     = "**/*.json"
  nullable    = false
}

variable "wheels_folder" {
  description = "Local folder whose wheels are uploaded to VOLUME_PATH/wheels, for clusters and jobs to install. Null uploads none."
  type        = string
  default     = null

  validation {
    condition     = var.wheels_folder == null ? true : length(fileset(var.wheels_folder, var.wheels_pattern)) > 0
    error_message = "wheels_folder \"${coalesce(var.wheels_folder, "null")}\" holds no file that matches ${var.wheels_pattern}: build the wheel first (`python -m build --wheel`), or leave it null to upload none."
  }
}

variable "wheels_pattern" {
  description = "Which files of wheels_folder are uploaded, as Terraform's fileset reads it."
  type        = string
  default     = "*.whl"
  nullable    = false
}

# ---- MLflow ----

variable "experiment_name" {
  description = "MLflow experiment, a path of the workspace such as /Shared/gauntlet/wine_quality; its folder must exist or be workspace_folder. Null makes none."
  type        = string
  default     = null

  validation {
    condition     = var.experiment_name == null || (can(regex("^(/[^/]*[^/\\s]){2,}$", var.experiment_name)) && !can(regex("^/(Workspace|Volumes|dbfs)/", var.experiment_name)))
    error_message = "experiment_name must be an absolute path inside a folder of the workspace, without /Workspace before it, such as /Shared/gauntlet/wine_quality; it is \"${coalesce(var.experiment_name, "null")}\"."
  }
}

variable "artifact_location" {
  description = "Where the experiment's runs keep their artefacts, dbfs:/Volumes/… or abfss://…; it cannot be changed later without losing the experiment. Null keeps them in the workspace's own storage."
  type        = string
  default     = null

  validation {
    condition     = var.artifact_location == null || can(regex("^(dbfs:/Volumes/[^/\\s]+/[^/\\s]+/[^/\\s]+|abfss://[^/\\s]+)(/[^/\\s]+)*$", var.artifact_location))
    error_message = "artifact_location must be a folder of a volume (dbfs:/Volumes/…) or of storage (abfss://…); it is \"${coalesce(var.artifact_location, "null")}\"."
  }

  validation {
    condition     = var.artifact_location == null || var.experiment_name != null
    error_message = "artifact_location is of an experiment: give experiment_name, or leave it null."
  }
}

variable "experiment_permissions" {
  description = "Who may use the experiment: names to CAN_READ, CAN_EDIT or CAN_MANAGE. It replaces the permissions that the experiment has; empty leaves them."
  type = object({
    users              = optional(map(string), {})
    groups             = optional(map(string), {})
    service_principals = optional(map(string), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for level in flatten([for levels in values(var.experiment_permissions) : values(levels)]) : contains(["CAN_READ", "CAN_EDIT", "CAN_MANAGE"], level)])
    error_message = "experiment_permissions must be CAN_READ, CAN_EDIT or CAN_MANAGE; they are: ${join(", ", flatten([for levels in values(var.experiment_permissions) : values(levels)]))}."
  }

  validation {
    condition     = length(merge(values(var.experiment_permissions)...)) == 0 || var.experiment_name != null
    error_message = "experiment_permissions are of an experiment: give experiment_name, or leave them empty."
  }
}

variable "model_name" {
  description = "Registered model, made in catalog_name and schema_name. Its versions and aliases are the pipeline's work and not Terraform's. Null makes none."
  type        = string
  default     = null

  validation {
    condition     = var.model_name == null || can(regex("^[a-z_][a-z0-9_]{0,254}$", var.model_name))
    error_message = "model_name must be lower-case letters, digits and underscores and not begin with a digit; it is \"${coalesce(var.model_name, "null")}\"."
  }

  validation {
    condition     = var.model_name == null || (var.catalog_name != null && var.schema_name != null)
    error_message = "A registered model has three levels: give catalog_name and schema_name beside model_name."
  }
}

variable "catalog_name" {
  description = "Catalog of the registered model (unity_catalog's catalog). Null beside a null model_name."
  type        = string
  default     = null

  validation {
    condition     = var.catalog_name == null || can(regex("^[a-z_][a-z0-9_]{0,254}$", var.catalog_name))
    error_message = "catalog_name must be lower-case letters, digits and underscores and not begin with a digit; it is \"${coalesce(var.catalog_name, "null")}\"."
  }
}

variable "schema_name" {
  description = "Schema of the registered model, without the catalog (unity_catalog's schema_name). Null beside a null model_name."
  type        = string
  default     = null

  validation {
    condition     = var.schema_name == null || can(regex("^[a-z_][a-z0-9_]{0,254}$", var.schema_name))
    error_message = "schema_name must be lower-case letters, digits and underscores, without the catalog before it; it is \"${coalesce(var.schema_name, "null")}\"."
  }
}

variable "model_comment" {
  description = "What is written beside the registered model for whoever finds it."
  type        = string
  default     = "Made by Terraform with Gauntlet's module ml_assets. Versions are promoted by gates; see the tags of each."
  nullable    = false
}

variable "model_grants" {
  description = "Privileges on the registered model by principal, complete for each that is named. EXECUTE loads versions, CREATE_MODEL_VERSION adds them, MANAGE moves aliases."
  type        = map(set(string))
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([for privileges in values(var.model_grants) : length(privileges) > 0 && length(setsubtract(privileges, [
      "ALL_PRIVILEGES", "APPLY_TAG", "CREATE_MODEL_VERSION", "EXECUTE", "MANAGE",
    ])) == 0])
    error_message = "model_grants must hold privileges of a registered model, with underscores, such as EXECUTE; they are: ${join(", ", flatten([for privileges in values(var.model_grants) : tolist(privileges)]))}."
  }

  validation {
    condition     = length(var.model_grants) == 0 || var.model_name != null
    error_message = "model_grants are on a registered model: give model_name, or leave them empty."
  }
}

# ---- secrets ----

variable "secret_scope" {
  description = "Secret scope that is made. Its secrets are put there by hand or by another system (`databricks secrets put-secret`), never by Terraform, whose state would hold them readable. Null makes none."
  type        = string
  default     = null

  validation {
    condition     = var.secret_scope == null || can(regex("^[A-Za-z0-9_.-]{1,128}$", var.secret_scope))
    error_message = "secret_scope must be 1 to 128 letters, digits, underscores, hyphens and dots; it is \"${coalesce(var.secret_scope, "null")}\"."
  }
}

variable "key_vault" {
  description = "Azure key vault that the scope shows, by ARM id and address. Null keeps the secrets in Databricks. Whoever runs Terraform must then be logged in with Entra ID, not with a token of the workspace."
  type        = object({ resource_id = string, dns_name = string })
  default     = null

  validation {
    condition     = var.key_vault == null ? true : can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\\.KeyVault/vaults/[^/]+$", var.key_vault.resource_id))
    error_message = "key_vault.resource_id must be an ARM id of the form /subscriptions/…/resourceGroups/…/providers/Microsoft.KeyVault/vaults/NAME."
  }

  validation {
    condition     = var.key_vault == null ? true : can(regex("^https://[a-z0-9-]+\\.vault\\.(azure\\.net|usgovcloudapi\\.net|azure\\.cn)/$", var.key_vault.dns_name))
    error_message = "key_vault.dns_name must be the vault's address, https://NAME.vault.azure.net/ with the slash."
  }

  validation {
    condition     = var.key_vault == null || var.secret_scope != null
    error_message = "key_vault is shown by a secret scope: give secret_scope, or leave it null."
  }
}

variable "secret_acls" {
  description = "Who may use the scope: principals to READ, WRITE or MANAGE. Whoever makes it holds MANAGE."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for permission in values(var.secret_acls) : contains(["READ", "WRITE", "MANAGE"], permission)])
    error_message = "secret_acls must be READ, WRITE or MANAGE; they are: ${join(", ", values(var.secret_acls))}."
  }

  validation {
    condition     = length(var.secret_acls) == 0 || var.secret_scope != null
    error_message = "secret_acls are of a secret scope: give secret_scope, or leave them empty."
  }
}
