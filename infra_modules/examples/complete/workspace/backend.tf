# Where the state is kept is said by backend.conf: terraform init -backend-config=backend.conf
terraform {
  backend "azurerm" {}
}
