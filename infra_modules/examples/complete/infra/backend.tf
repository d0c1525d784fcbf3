# Where the state is kept is said at init: `terraform init -backend-config=backend.conf`. The README shows the file.
terraform {
  backend "azurerm" {}
}
